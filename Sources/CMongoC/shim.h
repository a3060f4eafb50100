// Nothing here needs wrapping so far: the public API of libmongoc is importable as it is.
#include <mongoc/mongoc.h>
