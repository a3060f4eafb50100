/* What Swift's Glibc does not show. */
#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

/* mallopt(3). */
#include <malloc.h>

/* memfd_create(2): a file in memory that has no name and no folder, and whose size no mount bounds. glibc declares it only for
   _GNU_SOURCE. */
int memfd_create(const char *name, unsigned int flags);

#endif
