/* What Millrace's RPC is measured against: the same work in plain C on the same library.
 *
 *   rpc_peer worker --queue Q --service S --reply-bytes N --prefetch P
 *   rpc_peer caller --queue Q --service S --outstanding N --request-bytes N --reply-bytes N
 *                   --warm-up-seconds X --seconds X --latencies FILE
 *
 * RABBIT names the broker. Arguments and output are those of rpc-benchmark, so that one script drives both.
 *
 * The same work is: the same exchanges, queues, properties and headers; requests mandatory and confirmed, each confirm
 * tied to its publish; an exclusive reply queue, replies tied to calls by correlation id; a reply that is mandatory, and
 * an acknowledgement of each request after its reply; a body that is put together in memory of its own, and compared
 * whole. Left away is what is no part of a call that succeeds: recovery, deadlines, other threads. */

#ifndef RPC_PEER_H
#define RPC_PEER_H

#include <amqp.h>
#include <amqp_framing.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONSUMING = 1, PUBLISHING = 2 }; /* Channels. */
enum { TEXT_BYTES = 256, MOST_CONNECTIONS = 2, MOST_OUTSTANDING = 4096 };
#define NANOSECONDS 1000000000LL
#define REQUEST_EXCHANGE "millrace.rpc"

struct options {
  const char *queue, *service, *latencies;
  int outstanding, request_bytes, reply_bytes, prefetch, connections;
  double warm_up_seconds, seconds;
};

/* A message that is being put together; what its properties point to is valid until the buffers are released. */
struct incoming {
  uint64_t tag;
  amqp_basic_properties_t properties;
  uint8_t *body;
  size_t body_bytes, received;
};

extern struct options options;
extern amqp_connection_state_t consuming, publishing; /* The same one, or two. */
extern char reply_exchange[TEXT_BYTES];
extern volatile sig_atomic_t is_stopped;

/* The two roles. */
void work(void);
void ask(void);

/* Ends the program with a reason. */
void fail(const char *what, const char *why);
void check(int status, const char *what);
void check_reply(amqp_connection_state_t connection, const char *what);

int64_t now(void);
/* User and system time of all threads, as getrusage gives it, but in nanoseconds. */
double cpu_seconds(void);
void *memory(size_t bytes);
/* The same bytes as rpc-benchmark sends; each slot of a caller has its own. */
uint8_t *pattern(size_t bytes, unsigned slot);

amqp_bytes_t text(const char *characters);
amqp_table_entry_t number_entry(const char *name, int64_t number);
amqp_table_entry_t text_entry(const char *name, const char *characters);

void open_channels(void);
void consume(const char *queue, const char *exchange, bool is_exclusive, amqp_table_t arguments);
void publish(const char *exchange, amqp_bytes_t key, const amqp_basic_properties_t *properties, const uint8_t *body,
             size_t body_bytes);
/* Waits for the next frame of any connection; gives the connection, or nothing when it is time to stop. */
amqp_connection_state_t wait_for_frame(amqp_frame_t *frame);
/* Takes a frame of a delivery; true when it is the last one. */
bool is_whole(struct incoming *message, const amqp_frame_t *frame);

#endif
