/* TCP fast open by the call CALL to ADDRESS PORT: what the call came to, the peer that the far
   end saw, and the echo of what was sent. */
#include "tcp.h"

int main(int count, char **words)
{
    (void)count;
    struct destination to = destination(words[2], words[3]);
    int fd = stream_for(&to, 0);
    struct iovec data = {.iov_base = "hello", .iov_len = 5};
    struct mmsghdr message = {.msg_hdr = {.msg_name = &to.address,
                                          .msg_namelen = to.length,
                                          .msg_iov = &data,
                                          .msg_iovlen = 1}};
    long sent;
    if (strcmp(words[1], "sendto") == 0)
        sent = sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&to.address, to.length);
    else if (strcmp(words[1], "sendmsg") == 0)
        sent = sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN);
    else
        sent = sendmmsg(fd, &message, 1, MSG_FASTOPEN);
    puts(outcome(sent));
    if (sent < 0)
        return 0;
    shutdown(fd, SHUT_WR);
    char all[256] = "";
    size_t length = 0;
    for (ssize_t got; (got = read(fd, all + length, sizeof all - 1 - length)) > 0;)
        length += (size_t)got;
    all[length] = 0;
    fputs(all, stdout);
}
