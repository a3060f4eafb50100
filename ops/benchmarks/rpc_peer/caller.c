/* Keeps a number of calls on their way for some seconds and measures them. */

#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS_OF_DEADLINE = 30 };
/* More publishes than this are never open at once: a caller has at most as many calls. */
enum { CONFIRM_PLACES = 65536 };

/* One of the calls that are on their way at once. */
struct slot {
  uint64_t correlation;
  int64_t started;
  uint8_t *request;
};

static struct slot *slots;
static uint8_t *large_reply; /* What is expected; a small reply is the request itself. */
static char reply_queue[TEXT_BYTES];
static bool is_unconfirmed[CONFIRM_PLACES];
static uint64_t last_publish, last_settled;

static void call(struct slot *slot, int64_t at) {
  char correlation[32], identity[TEXT_BYTES + 32], expiration[32];
  /* The slot is found again by the remainder. */
  slot->correlation += options.outstanding;
  slot->started = at;
  last_publish++;
  if (is_unconfirmed[last_publish % CONFIRM_PLACES]) fail("call", "too many publishes are not confirmed");
  is_unconfirmed[last_publish % CONFIRM_PLACES] = true;
  snprintf(correlation, sizeof correlation, "%llu", (unsigned long long)slot->correlation);
  snprintf(identity, sizeof identity, "%s/%s", reply_queue, correlation);
  snprintf(expiration, sizeof expiration, "%d", SECONDS_OF_DEADLINE * 1000);
  amqp_table_entry_t entries[] = {number_entry("attempt", 1), number_entry("x-publish-number", last_publish)};
  amqp_basic_properties_t properties = {
      ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG |
                AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_HEADERS_FLAG,
      .delivery_mode = 1,
      .type = text("benchmark.echo.v1"),
      .content_type = text("application/octet-stream"),
      .correlation_id = text(correlation),
      .message_id = text(identity),
      .reply_to = text(reply_queue),
      .app_id = text("benchmark"),
      .expiration = text(expiration),
      .headers = {2, entries}};
  publish(REQUEST_EXCHANGE, text(options.queue), &properties, slot->request, options.request_bytes);
}

static void settle(const amqp_frame_t *frame) {
  if (frame->frame_type != AMQP_FRAME_METHOD) return;
  if (frame->payload.method.id != AMQP_BASIC_ACK_METHOD) fail("call", "the broker refused or returned a request");
  const amqp_basic_ack_t *ack = frame->payload.method.decoded;
  if (ack->multiple) {
    for (uint64_t tag = last_settled + 1; tag <= ack->delivery_tag; tag++) is_unconfirmed[tag % CONFIRM_PLACES] = false;
    last_settled = ack->delivery_tag;
  } else {
    is_unconfirmed[ack->delivery_tag % CONFIRM_PLACES] = false;
  }
  while (last_settled < last_publish && !is_unconfirmed[(last_settled + 1) % CONFIRM_PLACES]) last_settled++;
}

static struct slot *slot_of(const struct incoming *reply) {
  char correlation[32] = {0};
  amqp_bytes_t bytes = reply->properties.correlation_id;
  if (bytes.len >= sizeof correlation) fail("reply", "a correlation id that is not ours");
  memcpy(correlation, bytes.bytes, bytes.len);
  uint64_t number = strtoull(correlation, NULL, 10);
  struct slot *slot = &slots[number % options.outstanding];
  if (slot->correlation != number) fail("reply", "a correlation id that is not ours");
  const amqp_table_t *headers = &reply->properties.headers;
  if (headers->num_entries < 1 || headers->entries[0].value.value.bytes.len != 2) fail("reply", "not ok");
  const uint8_t *expected = large_reply ? large_reply : slot->request;
  size_t bytes_expected = large_reply ? (size_t)options.reply_bytes : (size_t)options.request_bytes;
  if (reply->body_bytes != bytes_expected || memcmp(reply->body, expected, bytes_expected) != 0)
    fail("reply", "other bytes than expected");
  return slot;
}

/* What has been measured between the warm-up and the end. */
struct measurement {
  int64_t begin, end;
  double cpu;
  bool has_begun, has_ended;
  int64_t *latencies;
  size_t count, capacity;
};

static void record(struct measurement *measured, int64_t latency) {
  if (measured->count == measured->capacity) {
    measured->capacity = measured->capacity ? 2 * measured->capacity : 65536;
    measured->latencies = realloc(measured->latencies, measured->capacity * sizeof *measured->latencies);
    if (!measured->latencies) fail("memory", "there is none");
  }
  measured->latencies[measured->count++] = latency;
}

/* Notes a call that has ended; false when it is not to be followed by another. */
static bool note(struct measurement *measured, int64_t started, int64_t ended) {
  if (!measured->has_begun && ended >= measured->begin) {
    measured->has_begun = true;
    measured->cpu = cpu_seconds();
    printf("measuring\n");
    fflush(stdout);
  }
  if (ended >= measured->end) {
    if (!measured->has_ended) {
      measured->cpu = cpu_seconds() - measured->cpu;
      printf("measured\n");
      fflush(stdout);
    }
    measured->has_ended = true;
    return false;
  }
  if (measured->has_begun) record(measured, ended - started);
  return true;
}

static void write_result(const struct measurement *measured) {
  FILE *file = fopen(options.latencies, "wb");
  if (!file || fwrite(measured->latencies, sizeof *measured->latencies, measured->count, file) != measured->count ||
      fclose(file) != 0)
    fail(options.latencies, "cannot be written");
  printf("{\"calls\": %zu, \"seconds\": %.6f, \"cpuSeconds\": %.6f}\n", measured->count, options.seconds,
         measured->cpu);
}

static void begin_calls(struct measurement *measured) {
  int64_t start = now();
  measured->begin = start + (int64_t)(options.warm_up_seconds * NANOSECONDS);
  measured->end = measured->begin + (int64_t)(options.seconds * NANOSECONDS);
  slots = memory(options.outstanding * sizeof *slots);
  large_reply = options.reply_bytes ? pattern(options.reply_bytes, 0) : NULL;
  for (int index = 0; index < options.outstanding; index++) {
    slots[index].correlation = index;
    slots[index].request = pattern(options.request_bytes, index);
    call(&slots[index], start);
  }
}

void ask(void) {
  open_channels();
  amqp_confirm_select(publishing, PUBLISHING);
  check_reply(publishing, "ask for confirms");
  snprintf(reply_queue, sizeof reply_queue, "millrace.reply.benchmark.%016llx", (unsigned long long)now());
  amqp_table_entry_t entries[] = {number_entry("x-max-length", 16384)};
  consume(reply_queue, reply_exchange, true, (amqp_table_t){1, entries});
  struct measurement measured = {0};
  begin_calls(&measured);
  struct incoming reply = {0};
  amqp_frame_t frame;
  for (int open = options.outstanding; open > 0 || last_settled < last_publish;) {
    amqp_connection_state_t connection = wait_for_frame(&frame);
    if (frame.channel == PUBLISHING) {
      settle(&frame);
    } else if (frame.channel == CONSUMING) {
      if (!is_whole(&reply, &frame)) continue;
      struct slot *slot = slot_of(&reply);
      int64_t ended = now();
      if (note(&measured, slot->started, ended)) call(slot, ended);
      else open--;
    }
    amqp_maybe_release_buffers_on_channel(connection, frame.channel);
  }
  write_result(&measured);
}
