/* Connects once to each ADDRESS PORT of its arguments, or else of the lines of its standard input
   as they come, and says for each which peer the far end saw, or the name of errno. */
#include "tcp.h"

static void one(const char *ip, const char *port)
{
    char said[64];
    try_connect(ip, port, said);
    puts(said);
    fflush(stdout);
}

int main(int count, char **words)
{
    char ip[64], port[16];
    for (int n = 1; n + 1 < count; n += 2)
        one(words[n], words[n + 1]);
    while (count == 1 && scanf("%63s %15s", ip, port) == 2)
        one(ip, port);
}
