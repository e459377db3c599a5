/* Connects to ADDRESS PORT with a socket that has the last descriptor that the limit allows. */
#include "tcp.h"
#include <sys/resource.h>

int main(int count, char **words)
{
    (void)count;
    struct destination to = destination(words[1], words[2]);
    int fd = stream_for(&to, 0);
    struct rlimit limit = {.rlim_cur = (rlim_t)fd + 1, .rlim_max = (rlim_t)fd + 1};
    setrlimit(RLIMIT_NOFILE, &limit);
    puts(outcome(connect_to(fd, &to)));
}
