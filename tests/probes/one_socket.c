/* Connects one and the same socket to each ADDRESS PORT in turn, and says what each connect came
   to; last the peer that the far end saw. */
#include "tcp.h"

int main(int count, char **words)
{
    struct destination first = destination(words[1], words[2]);
    int fd = stream_for(&first, 0);
    for (int n = 1; n + 1 < count; n += 2) {
        struct destination to = destination(words[n], words[n + 1]);
        puts(outcome(connect_to(fd, &to)));
    }
    char peer[64];
    read_peer(fd, peer);
    puts(peer);
    finish(fd);
}
