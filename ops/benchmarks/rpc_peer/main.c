/* Reads the arguments and begins one of the two roles. */

#include "peer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {.outstanding = 1, .request_bytes = 200, .prefetch = 64, .connections = 1, .seconds = 3};

static void read_options(int count, char **arguments) {
  static const struct option known[] = {
      {"queue", 1, 0, 'q'},       {"service", 1, 0, 's'},         {"outstanding", 1, 0, 'o'},
      {"reply-bytes", 1, 0, 'r'}, {"request-bytes", 1, 0, 'b'},   {"prefetch", 1, 0, 'p'},
      {"seconds", 1, 0, 't'},     {"warm-up-seconds", 1, 0, 'w'}, {"latencies", 1, 0, 'l'},
      {"connections", 1, 0, 'c'}, {0, 0, 0, 0}};
  int letter;
  while ((letter = getopt_long(count, arguments, "", known, NULL)) != -1) {
    switch (letter) {
      case 'q': options.queue = optarg; break;
      case 's': options.service = optarg; break;
      case 'o': options.outstanding = atoi(optarg); break;
      case 'r': options.reply_bytes = atoi(optarg); break;
      case 'b': options.request_bytes = atoi(optarg); break;
      case 'p': options.prefetch = atoi(optarg); break;
      case 't': options.seconds = atof(optarg); break;
      case 'w': options.warm_up_seconds = atof(optarg); break;
      case 'l': options.latencies = optarg; break;
      case 'c': options.connections = atoi(optarg); break;
      default: exit(2);
    }
  }
  if (!options.queue || !options.service) fail("options", "--queue and --service are missing");
  if (options.outstanding < 1 || options.outstanding > MOST_OUTSTANDING) fail("options", "--outstanding is 1 to 4096");
  if (options.connections < 1 || options.connections > MOST_CONNECTIONS) fail("options", "--connections is 1 or 2");
}

int main(int count, char **arguments) {
  if (count < 2) fail("options", "the role is missing: caller or worker");
  read_options(count - 1, arguments + 1);
  if (strcmp(arguments[1], "worker") == 0) work();
  else if (strcmp(arguments[1], "caller") == 0 && options.latencies) ask();
  else fail("options", "the role is caller (with --latencies) or worker");
  return 0;
}
