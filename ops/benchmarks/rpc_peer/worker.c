/* Answers each request with its own body, or with a large one, and acknowledges it. */

#include "peer.h"

#include <signal.h>
#include <stdio.h>

static void stop(int number) {
  (void)number;
  is_stopped = 1;
}

static void answer(const struct incoming *request, const uint8_t *large_reply) {
  amqp_table_entry_t entries[] = {text_entry("status", "ok")};
  amqp_basic_properties_t properties = {
      ._flags = AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG |
                AMQP_BASIC_CORRELATION_ID_FLAG | AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_EXPIRATION_FLAG |
                AMQP_BASIC_HEADERS_FLAG,
      .delivery_mode = 1,
      .type = request->properties.type,
      .content_type = text("application/octet-stream"),
      .correlation_id = request->properties.correlation_id,
      .app_id = text(options.service),
      .expiration = request->properties.expiration,
      .headers = {1, entries}};
  const uint8_t *body = large_reply ? large_reply : request->body;
  size_t body_bytes = large_reply ? (size_t)options.reply_bytes : request->body_bytes;
  publish(reply_exchange, request->properties.reply_to, &properties, body, body_bytes);
  check(amqp_basic_ack(consuming, CONSUMING, request->tag, 0), "acknowledge");
}

void work(void) {
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  open_channels();
  /* As Millrace's workers declare their queues. */
  amqp_table_entry_t entries[] = {number_entry("x-max-length", 4096), text_entry("x-overflow", "reject-publish"),
                                  number_entry("x-expires", 10000)};
  consume(options.queue, REQUEST_EXCHANGE, false, (amqp_table_t){3, entries});
  uint8_t *large_reply = options.reply_bytes ? pattern(options.reply_bytes, 0) : NULL;
  double cpu_before = cpu_seconds();
  long calls = 0;
  printf("ready\n");
  fflush(stdout);
  struct incoming request = {0};
  amqp_frame_t frame;
  while (wait_for_frame(&frame)) {
    if (frame.channel == PUBLISHING) fail("answer", "a reply came back: the caller is gone");
    if (frame.channel != CONSUMING || !is_whole(&request, &frame)) continue;
    answer(&request, large_reply);
    calls++;
    amqp_maybe_release_buffers_on_channel(consuming, CONSUMING);
  }
  printf("{\"calls\": %ld, \"cpuSeconds\": %.6f}\n", calls, cpu_seconds() - cpu_before);
}
