/* Ways to come by `connect`: binding WAY LIBRARY ADDRESS PORT. Says which peer the far end saw of a
   connection by that way, and of one by the ordinary way afterwards. Compiled with LIBRARY it is the
   library, which connects for others; with OWN it has a `connect` of its own and exports it. */
#include "tcp.h"
#include <dlfcn.h>

typedef int connecting(int, const struct sockaddr *, socklen_t);

static void by(connecting *way, const char *ip, const char *port, char said[64])
{
    struct destination to = destination(ip, port);
    int fd = stream_for(&to, 0);
    if (way(fd, (struct sockaddr *)&to.address, to.length) < 0)
        strcpy(said, strerrorname_np(errno));
    else
        read_peer(fd, said);
    finish(fd);
}

#ifdef LIBRARY
void for_others(const char *ip, const char *port, char said[64])
{
    by(connect, ip, port, said);
}
#else

#ifdef __x86_64__
#define OLDEST "GLIBC_2.2.5"
#else
#define OLDEST "GLIBC_2.17"
#endif
extern connecting of_old;
__asm__(".symver of_old, connect@" OLDEST);

#ifdef OWN
static int calls;

int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    calls++;
    return ((connecting *)dlsym(RTLD_NEXT, "connect"))(fd, to, length);
}
#endif

static void *open_twice_and_close(const char *path)
{
    for (int n = 0; n < 2; n++) {
        void *object = dlopen(path, RTLD_NOW);
        if (object == NULL || dlclose(object) != 0)
            puts(dlerror());
    }
    return dlsym(RTLD_DEFAULT, "connect");
}

int main(int count, char **words)
{
    (void)count;
    char said[64];
    const char *way = words[1], *library = words[2];
    void *object = NULL;
    if (strcmp(way, "dlmopen") == 0)
        object = dlmopen(LM_ID_NEWLM, library, RTLD_NOW);
    else if (strcmp(way, "dlopen") == 0)
        object = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (object != NULL) {
        void (*for_others)(const char *, const char *, char *) = dlsym(object, "for_others");
        for_others(words[3], words[4], said);
        dlclose(object);
    } else if (strcmp(way, "next") == 0)
        by(dlsym(RTLD_NEXT, "connect"), words[3], words[4], said);
    else if (strcmp(way, "default") == 0)
        by(dlsym(RTLD_DEFAULT, "connect"), words[3], words[4], said);
    else if (strcmp(way, "libc") == 0)
        by(dlsym(dlopen("libc.so.6", RTLD_NOW), "connect"), words[3], words[4], said);
    else if (strcmp(way, "old") == 0)
        by(of_old, words[3], words[4], said);
    else if (strcmp(way, "close") == 0)
        by(open_twice_and_close(library), words[3], words[4], said);
    else
        strcpy(said, dlerror());
    puts(said);
    try_connect(words[3], words[4], said);
#ifdef OWN
    printf("%d own, ", calls);
#endif
    puts(said);
}
#endif
