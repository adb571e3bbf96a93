/* What lwIP asks of a compiler and a system. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define LWIP_PLATFORM_DIAG(x) printf x
#define LWIP_PLATFORM_ASSERT(x)                     \
  do {                                              \
    fprintf(stderr, "lwip_server: lwIP: %s\n", x); \
    abort();                                        \
  } while (0)
#define LWIP_RAND() ((u32_t)random())
#define LWIP_NO_CTYPE_H 0
