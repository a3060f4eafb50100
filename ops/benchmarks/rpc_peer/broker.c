/* Connections, channels and messages on librabbitmq: what both roles need. */

#include "peer.h"

#include <amqp_tcp_socket.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECONDS_OF_HEARTBEAT = 10 };

amqp_connection_state_t consuming, publishing;
char reply_exchange[TEXT_BYTES];
volatile sig_atomic_t is_stopped;
static amqp_connection_state_t connections[MOST_CONNECTIONS];

void fail(const char *what, const char *why) {
  fprintf(stderr, "rpc_peer: %s: %s\n", what, why);
  exit(1);
}

void check(int status, const char *what) {
  if (status != AMQP_STATUS_OK) fail(what, amqp_error_string2(status));
}

void check_reply(amqp_connection_state_t connection, const char *what) {
  amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) fail(what, amqp_error_string2(reply.library_error));
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what, "the broker refuses");
}

static int64_t clock_of(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * NANOSECONDS + time.tv_nsec;
}

int64_t now(void) { return clock_of(CLOCK_MONOTONIC); }

double cpu_seconds(void) { return (double)clock_of(CLOCK_PROCESS_CPUTIME_ID) / NANOSECONDS; }

amqp_bytes_t text(const char *characters) { return amqp_cstring_bytes(characters); }

void *memory(size_t bytes) {
  void *place = calloc(1, bytes ? bytes : 1);
  if (!place) fail("memory", "there is none");
  return place;
}

uint8_t *pattern(size_t bytes, unsigned slot) {
  uint8_t *place = memory(bytes);
  for (size_t index = 0; index < bytes; index++) place[index] = (uint8_t)(index * 31 + slot * 7);
  return place;
}

static amqp_connection_state_t connect_to_broker(void) {
  static char url[1024];
  struct amqp_connection_info info;
  const char *address = getenv("RABBIT");
  if (!address || strlen(address) >= sizeof url) fail("RABBIT", "the broker's address is missing");
  strcpy(url, address);
  check(amqp_parse_url(url, &info), "the broker's address");
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(connection);
  check(amqp_socket_open(socket, info.host, info.port), "connect");
  amqp_rpc_reply_t reply = amqp_login(connection, info.vhost, 0, AMQP_DEFAULT_FRAME_SIZE, SECONDS_OF_HEARTBEAT,
                                      AMQP_SASL_METHOD_PLAIN, info.user, info.password);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail("login", "the broker refuses");
  return connection;
}

void open_channels(void) {
  for (int index = 0; index < options.connections; index++) connections[index] = connect_to_broker();
  consuming = connections[0];
  publishing = connections[options.connections - 1];
  amqp_channel_open(consuming, CONSUMING);
  check_reply(consuming, "open a channel");
  amqp_channel_open(publishing, PUBLISHING);
  check_reply(publishing, "open a channel");
  snprintf(reply_exchange, sizeof reply_exchange, "millrace.%s.reply", options.service);
  const char *exchanges[] = {REQUEST_EXCHANGE, reply_exchange};
  for (int index = 0; index < 2; index++) {
    amqp_exchange_declare(consuming, CONSUMING, text(exchanges[index]), text("direct"), 0, 1, 0, 0, amqp_empty_table);
    check_reply(consuming, "declare an exchange");
  }
}

amqp_table_entry_t number_entry(const char *name, int64_t number) {
  return (amqp_table_entry_t){text(name), {.kind = AMQP_FIELD_KIND_I64, .value.i64 = number}};
}

amqp_table_entry_t text_entry(const char *name, const char *characters) {
  return (amqp_table_entry_t){text(name), {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = text(characters)}};
}

void consume(const char *queue, const char *exchange, bool is_exclusive, amqp_table_t arguments) {
  amqp_queue_declare(consuming, CONSUMING, text(queue), 0, !is_exclusive, is_exclusive, is_exclusive, arguments);
  check_reply(consuming, "declare a queue");
  amqp_queue_bind(consuming, CONSUMING, text(queue), text(exchange), text(queue), amqp_empty_table);
  check_reply(consuming, "bind a queue");
  amqp_basic_qos(consuming, CONSUMING, 0, is_exclusive ? 0 : options.prefetch, 0);
  check_reply(consuming, "set the prefetch");
  amqp_basic_consume(consuming, CONSUMING, text(queue), amqp_empty_bytes, 0, is_exclusive, 0, amqp_empty_table);
  check_reply(consuming, "consume");
}

amqp_connection_state_t wait_for_frame(amqp_frame_t *frame) {
  struct timeval none = {0}, short_while = {.tv_usec = 100000};
  while (!is_stopped) {
    struct pollfd entries[MOST_CONNECTIONS];
    for (int index = 0; index < options.connections; index++) {
      /* One connection can wait inside the library, which saves a system call. */
      struct timeval *patience = options.connections == 1 ? &short_while : &none;
      int status = amqp_simple_wait_frame_noblock(connections[index], frame, patience);
      if (status == AMQP_STATUS_OK) return connections[index];
      if (status != AMQP_STATUS_TIMEOUT && !is_stopped) check(status, "receive");
      entries[index] = (struct pollfd){.fd = amqp_get_sockfd(connections[index]), .events = POLLIN};
    }
    if (options.connections > 1) poll(entries, options.connections, 100);
  }
  return NULL;
}

bool is_whole(struct incoming *message, const amqp_frame_t *frame) {
  switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
      if (frame->payload.method.id != AMQP_BASIC_DELIVER_METHOD) fail("receive", "an unexpected method");
      message->tag = ((amqp_basic_deliver_t *)frame->payload.method.decoded)->delivery_tag;
      return false;
    case AMQP_FRAME_HEADER:
      message->properties = *(amqp_basic_properties_t *)frame->payload.properties.decoded;
      if (frame->payload.properties.body_size != message->body_bytes)
        message->body = realloc(message->body, frame->payload.properties.body_size);
      message->body_bytes = frame->payload.properties.body_size;
      message->received = 0;
      return message->body_bytes == 0;
    case AMQP_FRAME_BODY:
      memcpy(message->body + message->received, frame->payload.body_fragment.bytes, frame->payload.body_fragment.len);
      message->received += frame->payload.body_fragment.len;
      return message->received == message->body_bytes;
    default:
      return false;
  }
}

void publish(const char *exchange, amqp_bytes_t key, const amqp_basic_properties_t *properties, const uint8_t *body,
             size_t body_bytes) {
  amqp_bytes_t bytes = {.len = body_bytes, .bytes = (void *)body};
  check(amqp_basic_publish(publishing, PUBLISHING, text(exchange), key, 1, 0, properties, bytes), "publish");
}
