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

// What libmongoc makes connections with. Debian's exports it and leaves it out of the headers; one that does not is used as it is.
mongoc_stream_t *
mongoc_client_default_stream_initiator (const mongoc_uri_t *uri, const mongoc_host_list_t *host, void *client, bson_error_t *error)
   __attribute__ ((weak));

static inline ssize_t
mongo_read_from_base (mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t iovcnt, size_t min_bytes, int32_t timeout_msec)
{
   return mongoc_stream_readv (mongoc_stream_get_base_stream (stream), iov, iovcnt, min_bytes, timeout_msec);
}

static inline mongoc_stream_t *
mongo_connect (const mongoc_uri_t *uri, const mongoc_host_list_t *host, void *client, bson_error_t *error)
{
   mongoc_stream_t *stream = mongoc_client_default_stream_initiator (uri, host, client, error);
   if (stream) {
      stream->readv = mongo_read_from_base;
   }
   return stream;
}

// Has the client read answers from its sockets, or TLS, to where they belong. By itself it reads them into a buffer of the stream
// first, which grows to the size of the largest, and copies them. Connections that it has already stay as they are.
static inline void
mongo_read_unbuffered (mongoc_client_t *client)
{
   if (mongoc_client_default_stream_initiator) {
      mongoc_client_set_stream_initiator (client, mongo_connect, client);
   }
}

// prctl is variadic, and pthread_setname_np is hidden behind _GNU_SOURCE: Swift can call neither.
static inline void
mongo_name_this_thread (const char *name)
{
   prctl (PR_SET_NAME, name, 0, 0, 0);
}
