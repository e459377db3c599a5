/* Closes standard error, so that a connection to ADDRESS PORT gets its number, connects another
   socket, and says all that the far end sent on the first: its greeting and the echo of whatever
   was written there. */
#include "tcp.h"

int main(int count, char **words)
{
    (void)count;
    struct destination to = destination(words[1], words[2]);
    char said[64];
    close(2);
    int fd = stream_for(&to, 0);
    if (fd != 2 || connect_to(fd, &to) < 0)
        return 3;
    try_connect(words[1], words[2], said);
    puts(said);
    shutdown(fd, SHUT_WR);
    for (ssize_t got; (got = read(fd, said, 63)) > 0;)
        fwrite(said, 1, (size_t)got, stdout);
}
