/* Many viewers of one film, each at the pace of the film: what players do once they play.
 *
 *   viewers --port P --target T --object-bytes N --viewers N --bytes-per-second N --seconds X
 *           [--host ADDRESS] [--ahead-seconds X] [--idle N]
 *
 * Each viewer has a connection of its own, asks for everything from a random offset on, and takes bytes at its pace, in steps
 * of a quarter of a second; at the end of the film it asks again, from the start. It plays from --ahead-seconds after its
 * request on, and stalls when it has less than it would have played by then. With --idle there are so many further connections that have asked for one byte and then for nothing.
 *
 * The bytes are counted, and thrown away inside the kernel (MSG_TRUNC, tcp(7)), so that the client leaves the processor to
 * the server. One line of JSON at the end says what was seen. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL
/* A viewer takes bytes so often, and its turns are spread over the rounds of a step. */
enum { ROUNDS_A_STEP = 50, STEP_MILLISECONDS = 250, HEAD_BYTES = 4096, MOST_EVENTS = 256 };

static struct {
  const char *host, *target;
  int port, viewers, idle;
  double bytes_per_second, seconds, ahead_seconds;
  int64_t object_bytes;
} options = {.host = "127.0.0.1", .viewers = 1, .bytes_per_second = 500000, .seconds = 10, .ahead_seconds = 2};

struct viewer {
  int socket;
  int64_t began;      /* When the film was asked for; 0 before. */
  int64_t asked;      /* When the answer that is coming was asked for. */
  int64_t taken;      /* Bytes of the film since then. */
  int64_t left;       /* Bytes of the answer that is being taken. */
  bool awaits_head, has_stalled;
};

static struct viewer *viewers;
static int poll_set;
static int64_t total_bytes, answers, most_late;
static int errors, stalled;
static int64_t *first_bytes; /* Times to first bytes in nanoseconds. */
static int first_byte_count, first_byte_room;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "viewers: %s: %s\n", what, why);
  exit(1);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * SECOND + time.tv_nsec;
}

static int open_connection(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port)};
  if (inet_pton(AF_INET, options.host, &address.sin_addr) != 1) fail("--host", "is no IPv4 address");
  int found = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  if (found < 0) fail("socket", strerror(errno));
  if (connect(found, (struct sockaddr *)&address, sizeof address) != 0) fail("connect", strerror(errno));
  setsockopt(found, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return found;
}

static void ask(struct viewer *viewer, int64_t first, int64_t last) {
  char request[1024];
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\nRange: bytes=%lld-%lld\r\n\r\n",
                        options.target, (long long)first, (long long)last);
  if (length >= (int)sizeof request) fail("--target", "is too long");
  viewer->awaits_head = true;
  viewer->asked = now();
  if (send(viewer->socket, request, length, MSG_NOSIGNAL) != length) errors++;
}

static void note_first_byte(int64_t time) {
  if (first_byte_count == first_byte_room) {
    first_byte_room = first_byte_room ? 2 * first_byte_room : 4096;
    first_bytes = realloc(first_bytes, first_byte_room * sizeof *first_bytes);
    if (!first_bytes) fail("memory", "there is none");
  }
  first_bytes[first_byte_count++] = time;
}

/* Takes the head of an answer, which comes whole, and no byte of its body. */
static void take_head(struct viewer *viewer) {
  char head[HEAD_BYTES + 1];
  ssize_t count = recv(viewer->socket, head, HEAD_BYTES, MSG_PEEK | MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return;
  head[count > 0 ? count : 0] = 0;
  char *end = strstr(head, "\r\n\r\n"), *length = strcasestr(head, "\r\ncontent-length:");
  if (!end && count > 0 && count < HEAD_BYTES) return;
  if (!end || !length || strncmp(head, "HTTP/1.1 206", 12) != 0) {
    errors++;
    viewer->awaits_head = false;
    viewer->left = 0;
    epoll_ctl(poll_set, EPOLL_CTL_DEL, viewer->socket, NULL);
    return;
  }
  note_first_byte(now() - viewer->asked);
  viewer->left = strtoll(length + strlen("\r\ncontent-length:"), NULL, 10);
  viewer->awaits_head = false;
  answers++;
  if (recv(viewer->socket, head, end + 4 - head, 0) != end + 4 - head) errors++;
}

/* Waits for first bytes until then. */
static void wait_until(int64_t until) {
  struct epoll_event events[MOST_EVENTS];
  for (;;) {
    int64_t rest = until - now();
    int count = epoll_wait(poll_set, events, MOST_EVENTS, rest > 0 ? (int)(rest / 1000000) : 0);
    for (int i = 0; i < count; i++) {
      struct viewer *viewer = events[i].data.ptr;
      if (viewer->awaits_head) take_head(viewer);
    }
    if (until - now() <= 1000000) return;
  }
}

static void watch(struct viewer *viewer, int operation) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = viewer};
  if (epoll_ctl(poll_set, operation, viewer->socket, &event) != 0) fail("epoll_ctl", strerror(errno));
}

/* Takes what is due by now, and notes whether it has come in time. */
static void take_turn(struct viewer *viewer, char *room, size_t room_bytes) {
  if (viewer->awaits_head) take_head(viewer);
  double played = (now() - viewer->began) / (double)SECOND - options.ahead_seconds;
  int64_t due = (int64_t)((played + options.ahead_seconds) * options.bytes_per_second) - viewer->taken;
  while (!viewer->awaits_head && viewer->left > 0 && due > 0) {
    size_t most = due < viewer->left ? due : viewer->left;
    ssize_t count = recv(viewer->socket, room, most < room_bytes ? most : room_bytes, MSG_DONTWAIT | MSG_TRUNC);
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {
      errors++;
      viewer->left = 0;
      break;
    }
    viewer->left -= count;
    viewer->taken += count;
    total_bytes += count;
    due -= count;
    if (viewer->left == 0) {
      ask(viewer, 0, options.object_bytes - 1);
      watch(viewer, EPOLL_CTL_MOD);
    }
  }
  int64_t late = (int64_t)(played * options.bytes_per_second) - viewer->taken;
  if (late > most_late) most_late = late;
  if (late > 0 && !viewer->has_stalled) {
    viewer->has_stalled = true;
    stalled++;
  }
}

static int by_size(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a > b) - (a < b);
}

static double percentile(double percent) {
  return first_byte_count ? first_bytes[(int)(percent / 100 * (first_byte_count - 1))] / 1e3 : 0;
}

static void open_idle(void) {
  for (int i = 0; i < options.idle; i++) {
    struct viewer idle = {.socket = open_connection()};
    ask(&idle, 0, 0);
    char answer[HEAD_BYTES];
    if (recv(idle.socket, answer, sizeof answer, 0) <= 0) errors++;
  }
}

static void play(void) {
  size_t room_bytes = 1 << 20;
  char *room = malloc(room_bytes);
  if (!room) fail("memory", "there is none");
  int64_t round = STEP_MILLISECONDS * (SECOND / 1000) / ROUNDS_A_STEP, next = now();
  int64_t until = next + (int64_t)(options.seconds * SECOND);
  for (int turn = 0; next < until; turn++, next += round) {
    for (int i = turn % ROUNDS_A_STEP; i < options.viewers; i += ROUNDS_A_STEP) {
      struct viewer *viewer = &viewers[i];
      if (viewer->began) {
        take_turn(viewer, room, room_bytes);
        continue;
      }
      /* Viewers come one after the other in the first step. */
      viewer->began = now();
      ask(viewer, (int64_t)(drand48() * (options.object_bytes / 2)), options.object_bytes - 1);
      watch(viewer, EPOLL_CTL_ADD);
    }
    wait_until(next + round);
  }
}

static void read_options(int count, char **arguments) {
  static const struct option known[] = {
      {"host", 1, 0, 'h'},    {"port", 1, 0, 'p'},    {"target", 1, 0, 't'},        {"object-bytes", 1, 0, 'o'},
      {"viewers", 1, 0, 'v'}, {"seconds", 1, 0, 's'}, {"bytes-per-second", 1, 0, 'b'},
      {"idle", 1, 0, 'i'},    {"ahead-seconds", 1, 0, 'a'}, {0, 0, 0, 0}};
  int letter;
  while ((letter = getopt_long(count, arguments, "", known, NULL)) != -1) {
    switch (letter) {
      case 'h': options.host = optarg; break;
      case 'p': options.port = atoi(optarg); break;
      case 't': options.target = optarg; break;
      case 'o': options.object_bytes = atoll(optarg); break;
      case 'v': options.viewers = atoi(optarg); break;
      case 's': options.seconds = atof(optarg); break;
      case 'b': options.bytes_per_second = atof(optarg); break;
      case 'i': options.idle = atoi(optarg); break;
      case 'a': options.ahead_seconds = atof(optarg); break;
      default: exit(2);
    }
  }
  if (!options.target || options.port <= 0 || options.object_bytes <= 1 || options.viewers < 0)
    fail("options", "--port, --target and --object-bytes are needed");
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int count, char **arguments) {
  read_options(count, arguments);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  viewers = calloc(options.viewers + 1, sizeof *viewers);
  poll_set = epoll_create1(0);
  if (!viewers || poll_set < 0) fail("memory", "there is none");
  open_idle();
  for (int i = 0; i < options.viewers; i++) viewers[i].socket = open_connection();
  fprintf(stderr, "connected\n");
  double before = cpu_seconds();
  int64_t began = now();
  play();
  double seconds = (now() - began) / (double)SECOND;
  qsort(first_bytes, first_byte_count, sizeof *first_bytes, by_size);
  printf("{\"viewers\":%d,\"bytes\":%lld,\"seconds\":%.3f,\"answers\":%lld,\"errors\":%d,\"stalled\":%d,"
         "\"late_seconds\":%.3f,\"p50\":%.0f,\"p99\":%.0f,\"client_cpu_seconds\":%.2f}\n",
         options.viewers, (long long)total_bytes, seconds, (long long)answers, errors, stalled,
         most_late / options.bytes_per_second, percentile(50), percentile(99), cpu_seconds() - before);
  return 0;
}
