/* Makes a socket without mif, bound to the address SOURCE or to the device SOURCE, with a number of
   LEAST or above, and becomes itself under the preload LIBRARY: says what the inherited socket's
   connect to ADDRESS PORT came to, and the peer that the far end saw.
   inherited LIBRARY SOURCE ADDRESS PORT LEAST */
#include <fcntl.h>

#include "tcp.h"

int main(int count, char **words)
{
    if (count == 7) {
        int fd = atoi(words[1]);
        struct destination to = destination(words[4], words[5]);
        int connected = connect_to(fd, &to);
        char said[64];
        puts(outcome(connected));
        if (connected == 0) {
            read_peer(fd, said);
            puts(said);
            finish(fd);
        }
        return 0;
    }
    struct destination to = destination(words[3], words[4]);
    int made = stream_for(&to, 0);
    int fd = fcntl(made, F_DUPFD, atoi(words[5]));
    close(made);
    int put;
    if (strpbrk(words[2], ".:") != NULL) {
        struct destination from = destination(words[2], "0");
        put = bind(fd, (struct sockaddr *)&from.address, from.length);
    } else {
        put = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, words[2],
                         (socklen_t)strlen(words[2]) + 1);
    }
    if (put < 0)
        return 3;
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    setenv("LD_PRELOAD", words[1], 1);
    execl("/proc/self/exe", words[0], number, words[1], words[2], words[3], words[4], words[5], NULL);
    return 4;
}
