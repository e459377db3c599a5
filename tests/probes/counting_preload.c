/* A preload of somebody else's that counts the connects that reach it, and says so at the end. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/socket.h>

static int calls;

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    calls++;
    return next(fd, address, length);
}

__attribute__((destructor)) static void report(void)
{
    printf("connects: %d\n", calls);
}
