/* Sends a datagram, and opens a stream, to ADDRESS PORT in every way there is, and prints the errno
 * of each on one line: ask ADDRESS PORT. Nobody's answer is waited for. */
#include "tcp.h"
#include <fcntl.h>

int main(int count, char **words)
{
    if (count != 3)
        return 2;
    struct destination to = destination(words[1], words[2]);
    struct sockaddr *name = (struct sockaddr *)&to.address;
    int family = to.address.ss_family;
    struct iovec data = {.iov_base = "x", .iov_len = 1};
    struct mmsghdr message = {.msg_hdr = {
        .msg_name = name, .msg_namelen = to.length, .msg_iov = &data, .msg_iovlen = 1}};

    printf("connect %s", outcome(connect(socket(family, SOCK_DGRAM, 0), name, to.length)));
    printf(" sendto %s", outcome(sendto(socket(family, SOCK_DGRAM, 0), "x", 1, 0, name, to.length)));
    printf(" sendmsg %s", outcome(sendmsg(socket(family, SOCK_DGRAM, 0), &message.msg_hdr, 0)));
    printf(" sendmmsg %s", outcome(sendmmsg(socket(family, SOCK_DGRAM, 0), &message, 1, 0)));
    printf(" stream %s", outcome(connect_to(stream_for(&to, 0), &to)));
    int fast = stream_for(&to, 0);
    printf(" fastopen %s\n", outcome(sendto(fast, "x", 1, MSG_FASTOPEN, name, to.length)));
}
