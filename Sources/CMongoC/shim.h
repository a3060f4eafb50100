#include <mongoc/mongoc.h>
#include <sys/prctl.h>

// Swift asks for room for a reply by these numbers, since it cannot see inside a bson_t.
_Static_assert (sizeof (bson_t) == 128, "a bson_t has 128 bytes");
_Static_assert (_Alignof (bson_t) <= 128, "a bson_t is aligned to 128 bytes at most");

// prctl is variadic, and pthread_setname_np is hidden behind _GNU_SOURCE: Swift can call neither.
static inline void
mongo_name_this_thread (const char *name)
{
   prctl (PR_SET_NAME, name, 0, 0, 0);
}
