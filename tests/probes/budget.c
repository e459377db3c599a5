/* One call, many times: budget CALL COUNT. Prints how often memory was allocated meanwhile, by how
 * much the number of open descriptors and of threads has changed, and how many calls failed.
 *
 * The allocations of every library in the process come here, since the program's own malloc
 * stands before libc's. */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static volatile long allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    allocations++;
    return __libc_realloc(old, size);
}

int posix_memalign(void **place, size_t alignment, size_t size)
{
    allocations++;
    *place = __libc_memalign(alignment, size);
    return *place ? 0 : 12;
}

static struct sockaddr_in far_raw = {.sin_family = AF_INET}, far_http = {.sin_family = AF_INET},
                          local = {.sin_family = AF_INET}, any = {.sin_family = AF_INET};
static struct sockaddr_in6 far6 = {.sin6_family = AF_INET6};
static struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "/nobody/is/here"};
static struct iovec data = {"x", 1};
static int datagrams, datagrams6;

static int with(int type, int (*call)(int, const struct sockaddr *, socklen_t), const void *to,
                socklen_t length)
{
    int fd = socket(*(const sa_family_t *)to, type, 0);
    int result = call(fd, to, length);
    close(fd);
    return result;
}

static int stream(void) { return with(SOCK_STREAM, connect, &far_http, sizeof far_http); }
static int refused(void) { return with(SOCK_STREAM, connect, &local, sizeof local); }
static int path(void) { return with(SOCK_STREAM, connect, &nobody, sizeof nobody); }
static int peer(void) { return with(SOCK_DGRAM, connect, &far_raw, sizeof far_raw); }
static int peer6(void) { return with(SOCK_DGRAM, connect, &far6, sizeof far6); }
static int server(void) { return with(SOCK_DGRAM, bind, &any, sizeof any); }

static int server_stream(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int result = listen(fd, 9);
    close(fd);
    return result;
}

static int to(void)
{
    return sendto(datagrams, "x", 1, 0, (void *)&far_raw, sizeof far_raw);
}

static int to6(void)
{
    return sendto(datagrams6, "x", 1, 0, (void *)&far6, sizeof far6);
}

static int message(void)
{
    struct msghdr header = {&far_raw, sizeof far_raw, &data, 1, NULL, 0, 0};
    return sendmsg(datagrams, &header, 0);
}

static int messages(void)
{
    struct mmsghdr all[4];
    for (int n = 0; n < 4; n++)
        all[n] = (struct mmsghdr){{&far_raw, sizeof far_raw, &data, 1, NULL, 0, 0}, 0};
    return sendmmsg(datagrams, all, 4, 0) == 4 ? 0 : -1;
}

/* A file that is opened by a program with a resolver of its own, and one that is not. */
static int resolv_conf(void)
{
    int fd = open("/etc/resolv.conf", O_RDONLY);
    return fd < 0 ? -1 : close(fd);
}

static int hosts(void)
{
    int fd = open("/etc/hosts", O_RDONLY);
    return fd < 0 ? -1 : close(fd);
}

/* A question to the host's own DNS server. */
static int question(void)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, "10.1.0.1", &server.sin_addr);
    return sendto(datagrams, "x", 1, 0, (void *)&server, sizeof server);
}

static int count(const char *directory)
{
    int entries = 0;
    DIR *open = opendir(directory);
    while (open && readdir(open))
        entries++;
    closedir(open);
    return entries;
}

static int list(void)
{
    struct ifaddrs *all;
    char room[1024];
    struct ifconf conf = {.ifc_len = sizeof room, .ifc_buf = room};
    if (getifaddrs(&all))
        return -1;
    freeifaddrs(all);
    return ioctl(datagrams, SIOCGIFCONF, &conf);
}

/* A program that is not there, in this process's environment and in none. */
static int start_in(char **environment)
{
    char *words[] = {"nowhere", NULL};
    return execve("/nowhere", words, environment);
}

static int start(void) { return start_in(environ); }

static int start_bare(void)
{
    char *none[] = {NULL};
    return start_in(none);
}

/* A program that is judged, and refused under a policy. */
static int start_static(void)
{
    char *words[] = {"busybox", NULL};
    return execve("/usr/bin/busybox", words, environ);
}

int main(int argc, char **argv)
{
    const struct {
        const char *name;
        int (*run)(void);
    } calls[] = {{"stream", stream}, {"refused", refused}, {"path", path}, {"peer", peer},
                 {"peer6", peer6}, {"server", server}, {"listen", server_stream}, {"sendto", to},
                 {"sendto6", to6}, {"sendmsg", message}, {"sendmmsg", messages},
                 {"resolv.conf", resolv_conf}, {"hosts", hosts}, {"question", question},
                 {"list", list}, {"execve", start}, {"execve bare", start_bare},
                 {"execve static", start_static}};
    inet_pton(AF_INET, "203.0.113.10", &far_raw.sin_addr);
    inet_pton(AF_INET6, "2001:db8:ff::10", &far6.sin6_addr);
    inet_pton(AF_INET, "127.0.0.1", &local.sin_addr);
    far_http.sin_addr = far_raw.sin_addr;
    far_raw.sin_port = far6.sin6_port = htons(7001);
    far_http.sin_port = htons(80);
    local.sin_port = htons(1);
    any.sin_port = htons(9000);
    datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    datagrams6 = socket(AF_INET6, SOCK_DGRAM, 0);
    for (size_t n = 0; argc > 2 && n < sizeof calls / sizeof *calls; n++) {
        if (strcmp(calls[n].name, argv[1]) != 0)
            continue;
        int failed = 0, files = count("/proc/self/fd"), threads = count("/proc/self/task");
        long before = allocations;
        for (int times = atoi(argv[2]); times > 0; times--)
            failed += calls[n].run() < 0;
        long made = allocations - before;
        printf("%ld allocations, %+d descriptors, %+d threads, %d failed\n", made,
               count("/proc/self/fd") - files, count("/proc/self/task") - threads, failed);
        return 0;
    }
    return 2;
}
