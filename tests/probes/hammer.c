/* Connects and sends without end: hammer ADDRESS PORT. Says that it has begun, and ends when a hundred calls
   in a row have failed with ENOSYS. */
#include "tcp.h"

int main(int count, char **words)
{
    if (count != 3)
        return 2;
    struct destination to = destination(words[1], words[2]);
    int udp = socket(to.address.ss_family, SOCK_DGRAM, 0);
    puts("begun");
    fflush(stdout);
    for (int failed = 0; failed < 100;) {
        int fd = stream_for(&to, 0);
        int is_gone = connect_to(fd, &to) < 0 && errno == ENOSYS;
        is_gone |= sendto(udp, "x", 1, 0, (struct sockaddr *)&to.address, to.length) < 0 &&
                   errno == ENOSYS;
        failed = is_gone ? failed + 1 : 0;
        finish(fd);
    }
    puts("ENOSYS");
}
