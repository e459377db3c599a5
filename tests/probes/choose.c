/* Chooses provisioning domains by the MIF API and says what came of it, a line for each of the words:
 *
 *   thread PVD | process PVD | socket PVD ADDRESS PORT | udp-socket PVD ADDRESS PORT
 *   tcp ADDRESS PORT | udp ADDRESS PORT | name PVD NAME | race PVD,PVD NAME PORT | in-thread | loaded
 *
 * PVD is if:NAME, utf8:NAME or fqdn:NAME, with a ~ behind it a preference, and - for none. What comes after
 * in-thread is done in a thread of its own; loaded names each libmif of the process. */
#include "../../include/mif.h"
#include "tcp.h"

#include <link.h>
#include <pthread.h>

#pragma weak mif_thread_pvd
#pragma weak mif_process_pvd
#pragma weak mif_socket_pvd
#pragma weak mif_getaddrinfo
#pragma weak mif_connect_name

static unsigned flags;

/* NULL for "-". */
static const mif_pvdid_t *pvd(const char *word)
{
    static mif_pvdid_t id;
    const char *name = strchr(word, ':');
    flags = 0;
    if (!name)
        return NULL;
    memset(&id, 0, sizeof id);
    id.type = *word == 'i' ? MIF_PVDID_INTERFACE : *word == 'u' ? MIF_PVDID_UTF8 : MIF_PVDID_FQDN;
    id.length = (uint8_t)strcspn(++name, "~");
    memcpy(id.value, name, id.length);
    if (name[id.length])
        flags = MIF_F_PREFER;
    return &id;
}

static void say_peer(int fd)
{
    char peer[64];
    read_peer(fd, peer);
    puts(peer);
    finish(fd);
}

static void tcp(int fd, const struct destination *to)
{
    if (connect_to(fd, to) < 0) {
        puts(strerrorname_np(errno));
        close(fd);
    } else {
        say_peer(fd);
    }
}

static void udp(int fd, const struct destination *to)
{
    struct timeval limit = {2, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (sendto(fd, "hello", 5, 0, (const struct sockaddr *)&to->address, to->length) < 0)
        puts(strerrorname_np(errno));
    else
        return say_peer(fd);
    close(fd);
}

static void say_addresses(int code, struct addrinfo *list)
{
    if (code) {
        puts(code == EAI_SYSTEM ? strerrorname_np(errno) : gai_strerror(code));
        return;
    }
    for (struct addrinfo *at = list; at; at = at->ai_next) {
        char text[64];
        getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
        printf("%s%s", text, at->ai_next ? " " : "\n");
    }
    freeaddrinfo(list);
}

static void race(char *pvds, const char *name, const char *port)
{
    mif_pvdid_t ids[8];
    size_t count = 0;
    for (char *at = strtok(pvds, ","); at && strcmp(at, "-"); at = strtok(NULL, ","))
        ids[count++] = *pvd(at);
    int fd = mif_connect_name(ids, count, 0, name, port, 10000);
    if (fd < 0)
        puts(strerrorname_np(errno));
    else
        say_peer(fd);
}

static int say_libmif(struct dl_phdr_info *object, size_t size, void *none)
{
    const char *name = strrchr(object->dlpi_name, '/');
    (void)size, (void)none;
    if (name && !strncmp(name, "/libmif.so", 10))
        puts(name + 1);
    return 0;
}

static char **perform(char **words)
{
    const char *what = *words++;
    if (!strcmp(what, "thread")) {
        const mif_pvdid_t *id = pvd(*words++);
        puts(outcome(mif_thread_pvd(id, flags)));
    } else if (!strcmp(what, "process")) {
        const mif_pvdid_t *id = pvd(*words++);
        puts(outcome(mif_process_pvd(id, flags)));
    } else if (!strcmp(what, "tcp") || !strcmp(what, "udp")) {
        struct destination to = destination(words[0], words[1]);
        words += 2;
        if (*what == 't')
            tcp(stream_for(&to, 0), &to);
        else
            udp(socket(to.address.ss_family, SOCK_DGRAM, 0), &to);
    } else if (!strcmp(what, "socket") || !strcmp(what, "udp-socket")) {
        const mif_pvdid_t *id = pvd(words[0]);
        struct destination to = destination(words[1], words[2]);
        int stream = *what == 's';
        int fd = stream ? stream_for(&to, 0) : socket(to.address.ss_family, SOCK_DGRAM, 0);
        words += 3;
        if (mif_socket_pvd(fd, id, flags) < 0) {
            puts(strerrorname_np(errno));
            close(fd);
        } else if (stream) {
            tcp(fd, &to);
        } else {
            udp(fd, &to);
        }
    } else if (!strcmp(what, "name")) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
        struct addrinfo *list = NULL;
        const mif_pvdid_t *id = pvd(words[0]);
        int code = mif_getaddrinfo(id, words[1], NULL, &hints, &list);
        say_addresses(code, list);
        words += 2;
    } else if (!strcmp(what, "race")) {
        race(words[0], words[1], words[2]);
        words += 3;
    } else if (!strcmp(what, "loaded")) {
        dl_iterate_phdr(say_libmif, NULL);
    } else {
        exit(2);
    }
    return words;
}

static void *perform_all(void *words)
{
    char **at = words;
    while (*at) {
        if (!strcmp(*at, "in-thread")) {
            pthread_t thread;
            pthread_create(&thread, NULL, perform_all, at + 1);
            pthread_join(thread, NULL);
            return NULL;
        }
        at = perform(at);
    }
    return NULL;
}

int main(int count, char **words)
{
    (void)count;
    setvbuf(stdout, NULL, _IOLBF, 0);
    perform_all(words + 1);
    return 0;
}
