/* 1,000 handles of the MIF API on 8 threads, while wan1 comes and goes: each handle is told everything, in
 * order. Says `ready`, and `back N` when it has come back for the Nth time. When 10.2.0.99 is added to
 * wan1, that is the end: then it reads how often it must have been told that it went, at least and at most, and says
 * what was wrong, or `fine`, and what is left. Meanwhile two more threads open and close handles. */
#include "../../include/mif.h"
#include "tcp.h"

#include <dirent.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>

#pragma weak mif_open
#pragma weak mif_close
#pragma weak mif_fd
#pragma weak mif_post
#pragma weak mif_get
#pragma weak mif_type_name
#pragma weak mif_pvd_from_text

enum { THREADS = 8, HANDLES = 1000 / THREADS };

struct handle {
    mif_t *mif;
    int interface, pvd, addresses; /* what it was told last */
    int gone, done;
    int speaks;
};

static atomic_int wrong, waiting = THREADS, is_over;
static unsigned wan1;
static mif_pvdid_t domain;
static int flaps[THREADS];
static pthread_barrier_t ready;

static unsigned entries(const char *folder)
{
    unsigned count = 0;
    DIR *entries = opendir(folder);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static void fault(const char *what, uint32_t type)
{
    if (wrong++ < 20)
        printf("%s %s\n", what, type ? mif_type_name(type) : "");
}

static void ask(mif_t *mif, uint32_t type)
{
    struct mif_msg msg = {.size = sizeof msg, .type = type};
    if (type == MIF_ANNOUNCE_ADDRESSES)
        msg.pvd = domain;
    if (mif_post(mif, &msg) < 0)
        fault(strerrorname_np(errno), type);
}

static void hear(struct handle *handle, const struct mif_msg *msg)
{
    char address[INET6_ADDRSTRLEN] = "";
    switch (msg->type) {
    case MIF_INTERFACE:
        if (msg->ifid == wan1 && handle->interface++)
            fault("twice", msg->type);
        if (msg->ifid == wan1 && handle->speaks && handle->gone)
            printf("back %d\n", handle->gone);
        break;
    case MIF_NO_INTERFACE:
        if (msg->ifid != wan1)
            break;
        if (!handle->interface-- || handle->pvd || handle->addresses)
            fault("too early", msg->type);
        handle->gone++;
        break;
    case MIF_PVD:
        if (msg->ifid == wan1 && (handle->pvd++ || !handle->interface))
            fault("out of place", msg->type);
        break;
    case MIF_NO_PVD:
        if (msg->ifid == wan1 && (!handle->pvd-- || handle->addresses))
            fault("out of place", msg->type);
        break;
    case MIF_ADDRESS:
        if (!handle->pvd)
            fault("out of place", msg->type);
        handle->addresses++;
        if (msg->src.ss_family == AF_INET)
            inet_ntop(AF_INET, &((const struct sockaddr_in *)&msg->src)->sin_addr, address, sizeof address);
        handle->done |= !strcmp(address, "10.2.0.99");
        break;
    case MIF_NO_ADDRESS:
        if (!handle->addresses--)
            fault("out of place", msg->type);
        break;
    }
}

static void *listen_to(void *number)
{
    struct handle handles[HANDLES] = {};
    struct pollfd polled[HANDLES];
    struct mif_msg msg;
    int left = HANDLES;
    for (int n = 0; n < HANDLES; n++) {
        struct handle *handle = &handles[n];
        if (!(handle->mif = mif_open(0))) {
            perror("mif_open");
            exit(1);
        }
        handle->speaks = !number && !n;
        polled[n] = (struct pollfd){.fd = mif_fd(handle->mif), .events = POLLIN};
        ask(handle->mif, MIF_ANNOUNCE_INTERFACES);
        ask(handle->mif, MIF_ANNOUNCE_PVDS);
        ask(handle->mif, MIF_ANNOUNCE_ADDRESSES);
    }
    pthread_barrier_wait(&ready);
    while (left && poll(polled, HANDLES, 30000) > 0) {
        for (int n = 0; n < HANDLES; n++) {
            struct handle *handle = &handles[n];
            int was = handle->done;
            msg.size = sizeof msg;
            if (polled[n].revents && mif_get(handle->mif, &msg) != 1)
                fault("nothing to get", 0);
            else if (polled[n].revents)
                hear(handle, &msg);
            left -= handle->done - was;
        }
    }
    if (left)
        fault("a handle was not told the end", 0);
    for (int n = 0; n < HANDLES; n++) {
        if (handles[n].gone != handles[0].gone)
            fault("handles were told different things", 0);
        mif_close(handles[n].mif);
    }
    flaps[(long)number] = handles[0].gone;
    waiting--;
    return NULL;
}

static void *open_and_close(void *unused)
{
    while (!is_over) {
        mif_t *mif = mif_open(0);
        ask(mif, MIF_ANNOUNCE_INTERFACES);
        ask(mif, MIF_ANNOUNCE_PVDS);
        mif_close(mif);
    }
    return unused;
}

int main(void)
{
    struct rlimit limit;
    unsigned before = entries("/proc/self/fd");
    pthread_t threads[THREADS + 2];
    int least, most;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    setvbuf(stdout, NULL, _IOLBF, 0);
    wan1 = if_nametoindex("wan1");
    mif_pvd_from_text("if:wan1", &domain);
    pthread_barrier_init(&ready, NULL, THREADS + 1);
    for (long n = 0; n < THREADS; n++)
        pthread_create(&threads[n], NULL, listen_to, (void *)n);
    pthread_barrier_wait(&ready);
    for (int n = 0; n < 2; n++)
        pthread_create(&threads[THREADS + n], NULL, open_and_close, NULL);
    puts("ready");
    while (waiting)
        usleep(1000);
    is_over = 1;
    for (int n = 0; n < THREADS + 2; n++)
        pthread_join(threads[n], NULL);
    if (scanf("%d %d", &least, &most) != 2)
        return 1;
    for (int n = 0; n < THREADS; n++)
        if (flaps[n] < least || flaps[n] > most)
            printf("%d flaps were told, not %d to %d\n", flaps[n], least, most);
    printf("%s, %u threads, %d descriptors\n", wrong ? "not fine" : "fine",
           entries("/proc/self/task") - 2, (int)(entries("/proc/self/fd") - before));
    return 0;
}
