#include <mongoc/mongoc.h>
#include <sys/prctl.h>

// Swift asks for room for a reply by these numbers, since it cannot see inside a bson_t.
_Static_assert (sizeof (bson_t) == 128, "a bson_t has 128 bytes");
_Static_assert (_Alignof (bson_t) <= 128, "a bson_t is aligned to 128 bytes at most");

// Where a binary field stands in a document, and its bytes. An iterator is aligned as a bson_t is.
static inline bool
mongo_find_binary (const bson_t *document, const char *field, uint32_t *start, uint32_t *end, const uint8_t **bytes, uint32_t *count)
{
   bson_iter_t iter;
   bson_subtype_t subtype;
   if (!bson_iter_init_find (&iter, document, field) || !BSON_ITER_HOLDS_BINARY (&iter)) {
      return false;
   }
   bson_iter_binary (&iter, &subtype, count, bytes);
   *start = iter.off;
   *end = iter.next_off;
   return true;
}

// prctl is variadic, and pthread_setname_np is hidden behind _GNU_SOURCE: Swift can call neither.
static inline void
mongo_name_this_thread (const char *name)
{
   prctl (PR_SET_NAME, name, 0, 0, 0);
}
