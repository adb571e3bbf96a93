/* lwIP as fast as its options let it be on one connection or on many: large windows, no copy on the way in or out, no
   thread of its own. What stays: no segmentation or checksum offload, one acknowledgement per two segments, linear
   lists of connections, a timer of 250 ms. */
#pragma once

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_IPV6 0
#define LWIP_DNS 0
#define LWIP_DHCP 0
#define LWIP_IGMP 0
#define LWIP_RAW 0
#define LWIP_STATS 0
#define LWIP_ICMP 1
#define LWIP_ARP 1
#define IP_REASSEMBLY 1

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
#define MEMP_NUM_TCP_SEG 65535
#define MEMP_NUM_SYS_TIMEOUT 16

#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 6
#define TCP_WND (1200 * TCP_MSS)
#define TCP_SND_BUF (1200 * TCP_MSS)
#define TCP_SND_QUEUELEN 8000
#define TCP_SNDLOWAT (22 * TCP_MSS)
/* TIME-WAIT of half a second: a SYN for a four-tuple in TIME-WAIT gets a RST from lwIP, and the load reuses its ports. */
#define TCP_MSL 250
#define TCP_LISTEN_BACKLOG 0
#define LWIP_TCP_SACK_OUT 1
#define LWIP_CHKSUM_ALGORITHM 3
#define LWIP_CHECKSUM_ON_COPY 1
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define SO_REUSE 1

#define LWIP_HTTPD_SUPPORT_11_KEEPALIVE 1
#define LWIP_HTTPD_DYNAMIC_HEADERS 0
#define LWIP_HTTPD_SSI 0
#define HTTPD_SERVER_PORT 80
#define HTTPD_FSDATA_FILE "bench_page.c"
