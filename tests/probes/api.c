/* A program of the MIF API's messages. Each line of its standard input is a step, and each message that it
 * gets a line of its output:
 *
 *   interfaces | pvds IF | elements PVD | addresses PVD [4|6] | no- of each of these
 *   config PVD INFO [ELEMENT] | name PVD NAME ID [4|6] | stop-name ID
 *   connect PVD ADDRESS PORT ID | udp PVD ADDRESS PORT ID | from PVD ADDRESS PORT SOURCE ID | stop-connect ID
 *   socket PVD | udp-socket PVD   the domain of a socket that was put on this one, or on none
 *   race NAME PORT whom the far end saw of a connection by whichever domain
 *   arrival PORT   the domains of two datagrams that come to this port, of IPv4 and of IPv6
 *   pvd PVD [ID] | wants PVD | idle ID | breakable ID | list [4|6] | text NAME
 *   all            what is there to get at once
 *   until WORDS    messages up to the first line that begins so
 *   wait           until a message is there, without getting it
 *   pause          a moment in which threads begin
 *   say WORD       WORD itself
 *   fork | close | open | cancel
 *   threads        how many threads there are, and descriptors more than at the start, once threads that end have
 *
 * PVD is what mif_pvd_from_text takes, IF an interface's name, and - is none. Where a step fails it says the
 * name of errno. */
#include "../../include/mif.h"
#include "tcp.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/wait.h>

#pragma weak mif_open
#pragma weak mif_close
#pragma weak mif_fd
#pragma weak mif_post
#pragma weak mif_check
#pragma weak mif_get
#pragma weak mif_type_name
#pragma weak mif_pvd_list
#pragma weak mif_pvd_from_text
#pragma weak mif_pvd_to_text
#pragma weak mif_socket_pvd
#pragma weak mif_sock_get_pvd
#pragma weak mif_cmsg_pvd
#pragma weak mif_connect_name

static mif_t *mif;
/* Descriptors that the program began with. */
static unsigned inherited;

/* The names of the interfaces are remembered: one that has gone has none. */
static const char *interface(unsigned index)
{
    static char names[64][IF_NAMESIZE];
    if (index < 64)
        if_indextoname(index, names[index]);
    return index < 64 ? names[index] : "?";
}

static const char *kind(const mif_pvdid_t *pvd)
{
    return pvd->type == MIF_PVDID_INTERFACE ? "if" : pvd->type == MIF_PVDID_UTF8 ? "utf8" : "fqdn";
}

static const char *address(const struct sockaddr_storage *from)
{
    static char texts[2][INET6_ADDRSTRLEN];
    static int which;
    char *text = texts[which = !which];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
    if (from->ss_family == AF_INET)
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof texts[0]);
    else if (from->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof texts[0]);
    else
        strcpy(text, "-");
    return text;
}

static const char *lifetime(uint32_t seconds)
{
    static char texts[2][16];
    static int which;
    char *text = texts[which = !which];
    if (seconds == MIF_INFINITE)
        return "ever";
    /* To the next ten: time goes by. */
    snprintf(text, sizeof texts[0], "%u", (seconds + 9) / 10 * 10);
    return text;
}

static const char *const elements[] = {"?", "ra", "dhcpv6", "dhcpv4", "static", "pvd"};
static const char *const infos[] = {"?",        "servers", "search", "zones", "gateways",
                                    "prefixes", "mtu",     "pref64", "portal"};

static unsigned number(const char *const names[], unsigned count, const char *name)
{
    for (unsigned n = 1; n < count; n++)
        if (!strcmp(names[n], name))
            return n;
    return 99;
}

/* A stream says whom the far end saw; a datagram socket is asked for it. */
static void connected(const struct mif_msg *msg)
{
    if (msg->fd < 0) {
        puts(" as a whole");
        return;
    }
    int kind, flags = fcntl(msg->fd, F_GETFL);
    socklen_t length = sizeof kind;
    char peer[64] = "";
    struct timeval limit = {5, 0};
    getsockopt(msg->fd, SOL_SOCKET, SO_TYPE, &kind, &length);
    setsockopt(msg->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (kind == SOCK_DGRAM && send(msg->fd, "hello", 5, 0) < 0)
        perror("send");
    read_peer(msg->fd, peer);
    printf(" %s from %s, seen as %s%s\n", address(&msg->dst), address(&msg->src), peer,
           flags & O_NONBLOCK ? ", non-blocking" : "");
    if (kind == SOCK_DGRAM)
        close(msg->fd);
    else
        finish(msg->fd);
}

static void show(const struct mif_msg *msg)
{
    printf("%s", mif_type_name(msg->type) + strlen("MIF_"));
    if (msg->ifid)
        printf(" %s", interface(msg->ifid));
    if (msg->id)
        printf(" %u", msg->id);
    if (msg->pvd.type)
        printf(" %s:%s", kind(&msg->pvd), msg->pvd.value);
    switch (msg->type) {
    case MIF_INTERFACE:
    case MIF_NO_INTERFACE:
        printf(" called %s\n", msg->text);
        break;
    case MIF_ELEMENT:
    case MIF_NO_ELEMENT:
        printf(" %s\n", elements[msg->element]);
        break;
    case MIF_ADDRESS:
        printf(" %s %s %s\n", address(&msg->src), lifetime(msg->valid_lifetime),
               lifetime(msg->preferred_lifetime));
        break;
    case MIF_NO_ADDRESS:
        printf(" %s\n", address(&msg->src));
        break;
    case MIF_CONFIGURATION:
        printf(" %s %s %s%s\n", elements[msg->element], infos[msg->info], msg->text,
               msg->flags & MIF_F_LAST ? " last" : "");
        break;
    case MIF_NO_CONFIGURATION:
        printf(" %s\n", infos[msg->info]);
        break;
    case MIF_NAME:
        printf(" %s from %s\n", address(&msg->dst), address(&msg->src));
        break;
    case MIF_NAME_DONE:
        printf(" %s\n", msg->status ? gai_strerror(msg->status) : "done");
        break;
    case MIF_CONNECTED:
        connected(msg);
        break;
    case MIF_NOT_CONNECTED:
        printf(" %s\n", strerrorname_np(msg->status));
        break;
    default:
        putchar('\n');
    }
}

/* One message; 0 if none comes within so many milliseconds. */
static int get(struct mif_msg *msg, int milliseconds)
{
    int ready = mif_check(mif, NULL, 0, milliseconds);
    memset(msg, 0x5a, sizeof *msg);
    msg->size = sizeof *msg;
    int got = mif_get(mif, msg);
    if (ready != got)
        printf("%d ready, but %d got\n", ready, got);
    return got == 1;
}

static void until(const char *word)
{
    static char line[4096];
    struct mif_msg msg;
    FILE *out = stdout;
    while (get(&msg, 20000)) {
        stdout = fmemopen(line, sizeof line, "w");
        show(&msg);
        fclose(stdout);
        stdout = out;
        fputs(line, stdout);
        if (!strncmp(line, word, strlen(word)))
            return;
    }
    printf("no %s\n", word);
}

static void list(unsigned flags)
{
    mif_pvdid_t pvds[32];
    char text[256];
    size_t n = 32;
    if (mif_pvd_list(flags, pvds, &n) < 0) {
        puts(strerrorname_np(errno));
        return;
    }
    for (size_t at = 0; at < n; at++) {
        mif_pvd_to_text(&pvds[at], text, sizeof text);
        printf("%s%s:%s", at ? " " : "", kind(&pvds[at]), text);
    }
    putchar('\n');
}

static void child(void)
{
    if (!fork()) {
        struct mif_msg msg = {.size = sizeof msg, .type = MIF_ANNOUNCE_INTERFACES};
        printf("post %s,", outcome(mif_post(mif, &msg)));
        printf(" get %s,", outcome(mif_get(mif, &msg)));
        printf(" fd %s\n", outcome(mif_fd(mif)));
        mif_close(mif);
        mif = mif_open(0);
        msg.type = MIF_ANNOUNCE_INTERFACES;
        if (mif_post(mif, &msg) < 0)
            puts(strerrorname_np(errno));
        until("INTERFACE");
        /* Somebody watches here, too. */
        msg.type = MIF_CONNECT;
        msg.id = 1;
        msg.dst = destination("203.0.113.10", "7001").address;
        mif_pvd_from_text("if:wan1", &msg.pvd);
        if (mif_post(mif, &msg) < 0)
            puts(strerrorname_np(errno));
        until("CONNECTED");
        mif_close(mif);
        exit(0);
    }
    wait(NULL);
}

static void *check_for_ever(void *unused)
{
    for (;;)
        mif_check(mif, NULL, 0, -1);
    return unused;
}

static void *ask_for_ever(void *unused)
{
    struct mif_msg msg = {.size = sizeof msg};
    for (;;) {
        mif_t *own = mif_open(0);
        msg.type = MIF_ANNOUNCE_PVDS;
        mif_post(own, &msg);
        while (mif_get(own, &msg) == 1)
            ;
        mif_close(own);
        pthread_testcancel();
    }
    return unused;
}

/* Cancels threads in the middle of the API. */
static void cancel(void)
{
    pthread_t threads[2];
    void *ended[2];
    pthread_create(&threads[0], NULL, check_for_ever, NULL);
    pthread_create(&threads[1], NULL, ask_for_ever, NULL);
    usleep(50000);
    for (int n = 0; n < 2; n++) {
        pthread_cancel(threads[n]);
        pthread_join(threads[n], &ended[n]);
        puts(ended[n] == PTHREAD_CANCELED ? "cancelled" : "ended");
    }
}

static unsigned entries(const char *folder)
{
    unsigned count = 0;
    DIR *entries = opendir(folder);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count - 2;
}

static void show_domain(int returned, const mif_pvdid_t *pvd)
{
    if (returned < 0)
        puts(strerrorname_np(errno));
    else
        printf("%s:%s\n", kind(pvd), pvd->value);
}

static void socket_on(const mif_pvdid_t *wanted, int type)
{
    mif_pvdid_t pvd;
    int fd = socket(AF_INET, type, 0);
    if (wanted->type && mif_socket_pvd(fd, wanted, 0) < 0)
        puts(strerrorname_np(errno));
    else
        show_domain(mif_sock_get_pvd(fd, &pvd), &pvd);
    close(fd);
}

static void arrival(int family, const char *port)
{
    int fd = socket(family, SOCK_DGRAM, 0), on = 1;
    struct destination here = destination(family == AF_INET ? "0.0.0.0" : "::", port);
    struct timeval limit = {20, 0};
    char data[64], control[256];
    struct iovec part = {data, sizeof data};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control};
    mif_pvdid_t pvd;
    msg.msg_controllen = sizeof control;
    if (family == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    else
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (bind(fd, (struct sockaddr *)&here.address, here.length) < 0)
        perror("bind");
    printf("listening on %s\n", port);
    if (recvmsg(fd, &msg, 0) < 0)
        perror("recvmsg");
    show_domain(mif_cmsg_pvd(&msg, &pvd), &pvd);
    msg.msg_controllen = 0;
    show_domain(mif_cmsg_pvd(&msg, &pvd), &pvd);
    close(fd);
}

static unsigned families(const char *word)
{
    return !word ? 0 : *word == '4' ? MIF_F_V4 : MIF_F_V6;
}

static void post(struct mif_msg *msg)
{
    if (mif_post(mif, msg) < 0)
        puts(strerrorname_np(errno));
}

static void step(char *words[])
{
    const char *what = words[0];
    struct mif_msg msg = {.size = sizeof msg, .fd = -1};
#define IS(word) (!strcmp(what, word))
    if (IS("all")) {
        while (get(&msg, 0))
            show(&msg);
    } else if (IS("pause")) {
        usleep(100000);
    } else if (IS("wait")) {
        mif_check(mif, NULL, 0, 20000);
    } else if (IS("until")) {
        char line[256] = "";
        for (int n = 1; words[n]; n++)
            snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", n > 1 ? " " : "", words[n]);
        until(line);
    } else if (IS("say")) {
        puts(words[1]);
    } else if (IS("list")) {
        list(families(words[1]));
    } else if (IS("text")) {
        puts(mif_pvd_from_text(words[1], &msg.pvd) < 0 ? strerrorname_np(errno) : kind(&msg.pvd));
    } else if (IS("race")) {
        char peer[64];
        int fd = mif_connect_name(NULL, 0, MIF_F_V4, words[1], words[2], 10000);
        if (fd < 0) {
            puts(strerrorname_np(errno));
            return;
        }
        read_peer(fd, peer);
        puts(peer);
        finish(fd);
    } else if (IS("arrival")) {
        arrival(AF_INET, words[1]);
        arrival(AF_INET6, words[1]);
    } else if (IS("cancel")) {
        cancel();
    } else if (IS("fork")) {
        child();
    } else if (IS("close")) {
        mif_close(mif);
    } else if (IS("open")) {
        mif = mif_open(0);
    } else if (IS("threads")) {
        for (int n = 0; n < 10000 && entries("/proc/self/task") > 1; n++)
            usleep(1000);
        printf("%u threads, %u descriptors\n", entries("/proc/self/task"),
               entries("/proc/self/fd") - inherited);
    } else {
        if (words[1] && !(IS("pvds") || IS("no-pvds") || IS("stop-name") || IS("stop-connect") ||
                          IS("idle") || IS("breakable")) &&
            strcmp(words[1], "-") && mif_pvd_from_text(words[1], &msg.pvd) < 0) {
            puts(strerrorname_np(errno));
            return;
        }
        if (IS("socket") || IS("udp-socket")) {
            socket_on(&msg.pvd, IS("socket") ? SOCK_STREAM : SOCK_DGRAM);
            return;
        }
        if (IS("interfaces") || IS("no-interfaces")) {
            msg.type = *what == 'n' ? MIF_STOP_INTERFACES : MIF_ANNOUNCE_INTERFACES;
        } else if (IS("pvds") || IS("no-pvds")) {
            msg.type = *what == 'n' ? MIF_STOP_PVDS : MIF_ANNOUNCE_PVDS;
            msg.ifid = strcmp(words[1], "-") ? if_nametoindex(words[1]) : 0;
        } else if (IS("elements") || IS("no-elements")) {
            msg.type = *what == 'n' ? MIF_STOP_ELEMENTS : MIF_ANNOUNCE_ELEMENTS;
        } else if (IS("addresses") || IS("no-addresses")) {
            msg.type = *what == 'n' ? MIF_STOP_ADDRESSES : MIF_ANNOUNCE_ADDRESSES;
            msg.flags = families(words[2]);
        } else if (IS("config")) {
            msg.type = MIF_GET_CONFIGURATION;
            msg.info = number(infos, 9, words[2]);
            msg.element = words[3] ? number(elements, 6, words[3]) : 0;
        } else if (IS("name")) {
            msg.type = MIF_TRANSLATE_NAME;
            strcpy(msg.text, words[2]);
            msg.id = (unsigned)atoi(words[3]);
            msg.flags = families(words[4]);
        } else if (IS("stop-name") || IS("stop-connect")) {
            msg.type = IS("stop-name") ? MIF_STOP_TRANSLATING : MIF_STOP_CONNECTING;
            msg.id = (unsigned)atoi(words[1]);
        } else if (IS("connect") || IS("udp")) {
            msg.type = MIF_CONNECT;
            msg.socktype = IS("udp") ? SOCK_DGRAM : 0;
            msg.dst = destination(words[2], words[3]).address;
            msg.id = (unsigned)atoi(words[4]);
        } else if (IS("from")) {
            msg.type = MIF_CONNECT_FROM;
            msg.dst = destination(words[2], words[3]).address;
            msg.src = destination(words[4], "0").address;
            msg.id = (unsigned)atoi(words[5]);
        } else if (IS("pvd")) {
            msg.type = MIF_CONNECT_PVD;
            msg.id = words[2] ? (unsigned)atoi(words[2]) : 0;
        } else if (IS("wants")) {
            msg.type = MIF_APP_WANTS;
        } else if (IS("idle") || IS("breakable")) {
            msg.type = IS("idle") ? MIF_APP_IDLE : MIF_APP_BREAKABLE;
            msg.id = (unsigned)atoi(words[1]);
        } else {
            printf("no such step: %s\n", what);
            exit(2);
        }
        post(&msg);
    }
}

int main(void)
{
    char line[4096];
    setvbuf(stdout, NULL, _IOLBF, 0);
    inherited = entries("/proc/self/fd");
    if (!mif_open || !(mif = mif_open(0))) {
        puts("no MIF API");
        return 1;
    }
    while (fgets(line, sizeof line, stdin)) {
        char *words[10] = {};
        int count = 0;
        for (char *word = strtok(line, " \n"); word && count < 8; word = strtok(NULL, " \n"))
            words[count++] = word;
        if (count)
            step(words);
    }
    mif_close(mif);
    return 0;
}
