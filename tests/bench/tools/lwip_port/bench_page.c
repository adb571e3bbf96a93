/* The one page of lwIP's httpd: the same answer as the other responders give. */
#include "lwip/apps/fs.h"
#include "lwip/def.h"

static const unsigned char page_data[] =
    "/index.html\0"
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n";

static const struct fsdata_file page_file[] = {
    {NULL, page_data, page_data + 12, sizeof page_data - 13,
     FS_FILE_FLAGS_HEADER_INCLUDED | FS_FILE_FLAGS_HEADER_PERSISTENT}};

#define FS_ROOT page_file
#define FS_NUMFILES 1
