/* Ways round a filter of system calls: no_way_out ADDRESS. Ring buffers, calls by the numbers of x32,
 * calls of i386, transports that carry addresses in options; each with its errno. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char *way, long returned)
{
    printf("%s %s\n", way, returned < 0 ? strerrorname_np(errno) : "0");
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7001)};
    if (argc != 2 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
        return 2;
    char parameters[120] = {};
    say("io_uring_setup", syscall(SYS_io_uring_setup, 1, parameters));
    say("SCTP", socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP));
    say("SMC", socket(43, SOCK_STREAM, 0));
#ifdef __x86_64__
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    say("x32 connect", syscall(0x40000000L | SYS_connect, fd, &to, sizeof to));
    /* A 32-bit call can only name memory below 4 GiB: socketcall(SYS_CONNECT, arguments). */
    unsigned *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    memcpy(low + 8, &to, sizeof to);
    low[0] = (unsigned)fd;
    low[1] = (unsigned)(unsigned long)(low + 8);
    low[2] = sizeof to;
    long returned;
    __asm__ volatile("int $0x80" : "=a"(returned) : "a"(102L), "b"(3L), "c"((long)low) : "memory");
    errno = returned < 0 ? (int)-returned : 0;
    say("i386 connect", returned);
    send(fd, "x", 1, 0);
#endif
    return 0;
}
