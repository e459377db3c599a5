/* Calls with pointers that lead nowhere, in part or as a whole: odd_memory ADDRESS... */
#include "odd.h"
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static size_t page;

/* A place for `size` bytes of which the last `missing` cannot be read. */
struct place {
    const char *name;
    char *brink;
    size_t missing;
    int is_all;
};

/* A page that can be read and written to; what follows it is as `after` says: 'n'o access, 'u'nmapped,
   'b'eyond the end of a file. Returns its end. */
static char *brink(char after)
{
    char *pages;
    if (after == 'b') {
        FILE *file = tmpfile();
        ftruncate(fileno(file), (off_t)page);
        pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
        fclose(file);
    } else {
        pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (after == 'u')
            munmap(pages + page, page);
        else
            mprotect(pages + page, page, PROT_NONE);
    }
    if (pages == MAP_FAILED)
        exit(2);
    return pages + page;
}

static struct place places[16];
static int count_of_places;

static void place(const char *name, char *brink, size_t missing, int is_all)
{
    places[count_of_places++] = (struct place){name, brink, missing, is_all};
}

/* Where `size` bytes like these lie at a place. */
static void *at(const struct place *place, const void *bytes, size_t size)
{
    if (place->is_all)
        return place->brink;
    size_t missing = place->missing < size ? place->missing : size;
    char *start = place->brink - (size - missing);
    memcpy(start, bytes, size - missing);
    return start;
}

static void by_place(const struct place *place, int kind, const struct destination *to)
{
    const struct sockaddr *address = (const struct sockaddr *)&to->address;
    const struct sockaddr *bad = at(place, address, to->length);
    TRY("connect", kind, place->name, connect(fd, bad, to->length));
    TRY("bind", kind, place->name, bind(fd, bad, to->length));
    TRY("sendto", kind, place->name, sendto(fd, "x", 1, MSG_NOSIGNAL, bad, to->length));
    TRY("fastopen", kind, place->name,
        sendto(fd, "x", 1, MSG_NOSIGNAL | MSG_FASTOPEN, bad, to->length));
    TRY("connect, length 0", kind, place->name, connect(fd, bad, 0));
    TRY("connect, too long", kind, place->name, connect(fd, bad, 129));
    TRY("connect, negative", kind, place->name, connect(fd, bad, (socklen_t)-1));
    TRY("sendto, length 0", kind, place->name, sendto(fd, "x", 1, MSG_NOSIGNAL, bad, 0));

    struct iovec data = {"x", 1};
    struct msghdr good = {(void *)address, to->length, &data, 1, NULL, 0, 0}, message = good;
    message.msg_name = (void *)bad;
    TRY("sendmsg name", kind, place->name, sendmsg(fd, &message, MSG_NOSIGNAL));
    message.msg_namelen = 500;
    TRY("sendmsg name, long", kind, place->name, sendmsg(fd, &message, MSG_NOSIGNAL));
    TRY("sendmsg", kind, place->name, sendmsg(fd, at(place, &good, sizeof good), MSG_NOSIGNAL));
    message = good;
    char control[CMSG_SPACE(sizeof(int))] = {};
    struct cmsghdr *first = (struct cmsghdr *)control;
    *first = (struct cmsghdr){CMSG_LEN(sizeof(int)), IPPROTO_IP, IP_TOS};
    message.msg_control = at(place, control, sizeof control);
    static const size_t lengths[] = {0, 1, sizeof control, 5000, 1 << 21, (size_t)-1};
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        message.msg_controllen = lengths[n];
        TRY("sendmsg control", kind, place->name, sendmsg(fd, &message, MSG_NOSIGNAL));
    }
}

/* Several messages, of which the one numbered `nth` is bad, in its whole or in a part. */
static void several(const struct place *place, int kind, const struct destination *to, int nth)
{
    enum { MOST = 20 };
    struct iovec data = {"x", 1};
    struct mmsghdr good = {{(void *)&to->address, to->length, &data, 1, NULL, 0, 0}, 0};
    struct mmsghdr array[MOST];
    for (int part = 0; part < 3; part++) {
        for (int n = 0; n < MOST; n++)
            array[n] = good;
        struct msghdr *bad = &array[nth].msg_hdr;
        struct mmsghdr *first = array;
        char what[96];
        if (part == 0)
            bad->msg_name = at(place, &to->address, to->length);
        else if (part == 1) {
            bad->msg_control = at(place, "", 16);
            bad->msg_controllen = 16;
        } else if (!place->is_all) {
            /* So that only those before it can be read. */
            size_t before = (size_t)nth * sizeof good, rest = sizeof good - place->missing;
            first = (struct mmsghdr *)(place->brink - before - (rest < sizeof good ? rest & ~7UL : 0));
            memcpy(first, array, (size_t)(place->brink - (char *)first));
        } else if (nth == 0)
            first = (struct mmsghdr *)place->brink;
        else
            continue;
        snprintf(what, sizeof what, "%s at %d", place->name, nth);
        TRY(part == 0 ? "names" : part == 1 ? "controls" : "messages", kind, what,
            sendmmsg(fd, first, MOST, MSG_NOSIGNAL));
        for (int n = 0; n < nth; n++)
            printf("%u ", first[n].msg_len);
        puts("");
    }
}

static void by_other_calls(const struct place *place)
{
    struct ifreq request;
    struct ifconf conf = {.ifc_len = sizeof request, .ifc_req = &request};
    for (int kind = 0; kind < KINDS; kind++) {
        TRY("device", kind, place->name,
            setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, at(place, "nosuch", 7), 7));
        TRY("index", kind, place->name,
            setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, at(place, "\7\0\0", 4), 4));
        TRY("unicast", kind, place->name,
            setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, at(place, "\7\0\0", 4), 4));
        TRY("SIOCGIFCONF", kind, place->name, ioctl(fd, SIOCGIFCONF, at(place, &conf, sizeof conf)));
        conf.ifc_req = at(place, &request, sizeof request);
        TRY("its list", kind, place->name, ioctl(fd, SIOCGIFCONF, &conf));
        conf.ifc_req = &request;
    }
    static const char *const paths[] = {"/etc/resolv.conf", "/proc/net/if_inet6", "/etc/hosts", "/"};
    for (size_t n = 0; n < sizeof paths / sizeof *paths; n++) {
        const char *path = at(place, paths[n], strlen(paths[n]) + 1);
        TRY("open", 11, place->name, open(path, O_RDONLY));
        TRY("open64", 11, place->name, open64(path, O_RDONLY));
        TRY("openat", 11, place->name, openat(AT_FDCWD, path, O_RDONLY));
        TRY("openat64", 11, place->name, openat64(AT_FDCWD, path, O_RDONLY));
        TRY("fopen", 11, place->name, fopen(path, "r"));
        TRY("fopen64", 11, place->name, fopen64(path, "r"));
    }
}

/* The exec family, of which none succeeds. */
static void by_exec(const struct place *place)
{
    char *const words[] = {"true", NULL}, *const environment[] = {"A=1", NULL};
    const char *path = at(place, "/bin/true", sizeof "/bin/true");
    TRY("execve path", 11, place->name, execve(path, words, environment));
    char *const *array = at(place, words, sizeof words);
    TRY("execve arguments", 11, place->name, execve("/bin/true", array, environment));
    array = at(place, environment, sizeof environment);
    TRY("execve environment", 11, place->name, execve("/bin/true", words, array));
    pid_t child = 0;
    TRY("posix_spawn path", 11, place->name, posix_spawn(&child, path, NULL, NULL, words, environment));
    TRY("posix_spawn environment", 11, place->name,
        posix_spawn(&child, "/bin/true", NULL, NULL, words, array));
}

/* A page that cannot be read, and then can. */
static void later(const struct destination *to)
{
    char *pages = brink('n');
    for (int kind = 0; kind < KINDS; kind++) {
        mprotect(pages, page, PROT_NONE);
        TRY("connect", kind, "too early", connect(fd, (struct sockaddr *)pages, to->length));
        mprotect(pages, page, PROT_READ | PROT_WRITE);
        memcpy(pages, &to->address, to->length);
        TRY("connect", kind, "later", connect(fd, (struct sockaddr *)pages, to->length));
        TRY("sendto", kind, "later",
            sendto(fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)pages, to->length));
        munmap(pages, page);
        pages = brink('n');
    }
}

int main(int count, char **words)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    for (const char *after = "nub"; *after; after++) {
        char *end = brink(*after);
        place("nothing", end, 0, 1);
        place("the last byte", end, 1, 0);
        place("the last eight", end, 8, 0);
        place("all but one", end, 15, 0);
    }
    place("one", (char *)1, 0, 1);
    place("kernel", (char *)-4096L, 0, 1);
    place("last", (char *)-1L, 0, 1);
    place("no address", (char *)(1L << 60), 0, 1);
    is_far = 1;
    for (int n = 0; n < count_of_places; n++) {
        by_other_calls(&places[n]);
        by_exec(&places[n]);
        for (int word = 1; word < count; word++) {
            struct destination to = destination(words[word], "9");
            for (int kind = 0; kind < KINDS; kind++) {
                by_place(&places[n], kind, &to);
                static const int bad[] = {0, 1, 15, 16, 17};
                for (size_t nth = 0; nth < sizeof bad / sizeof *bad; nth++)
                    several(&places[n], kind, &to, bad[nth]);
            }
        }
    }
    for (int word = 1; word < count; word++) {
        struct destination to = destination(words[word], "9");
        later(&to);
    }
}
