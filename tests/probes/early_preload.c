/* A preload that connects in its constructor to the place that EARLY names: ADDRESS PORT. Behind
   libmif.so in LD_PRELOAD its constructor is the first of all. */
#include "tcp.h"

__attribute__((constructor)) static void early(void)
{
    char ip[64], port[16], said[64];
    const char *place = getenv("EARLY");
    if (place == NULL || sscanf(place, "%63s %15s", ip, port) != 2)
        return;
    try_connect(ip, port, said);
    printf("early: %s\n", said);
}
