/* Lists the provisioning domains that this program may use, and then tells what changes of them, until its
 * standard input ends.
 *
 *     cc -o pvds pvds.c $(pkg-config --cflags --libs mif)
 *     ./pvds                      all networks of the host
 *     mif-run -i lte ./pvds       what a policy leaves of them
 */
#include <arpa/inet.h>
#include <errno.h>
#include <mif.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST = 64 };

static void list(void)
{
    mif_pvdid_t pvds[MOST];
    size_t n = MOST;
    if (mif_pvd_list(0, pvds, &n) < 0) {
        perror("mif_pvd_list");
        exit(1);
    }
    /* n is how many there are, be it more than there was room for. */
    for (size_t at = 0; at < n && at < MOST; at++)
        printf("domain %s\n", pvds[at].value);
}

static void post(mif_t *mif, uint32_t type, const mif_pvdid_t *pvd)
{
    struct mif_msg msg = {.size = sizeof msg, .type = type, .fd = -1};
    if (pvd)
        msg.pvd = *pvd;
    /* A domain may have gone again, and its message be still to come. */
    if (mif_post(mif, &msg) < 0 && errno != ENOENT)
        perror(mif_type_name(type));
}

/* What a domain has is asked for when it comes, and not any more when it has gone. */
static void follow(mif_t *mif, const struct mif_msg *msg)
{
    if (msg->type == MIF_PVD) {
        post(mif, MIF_ANNOUNCE_ELEMENTS, &msg->pvd);
        post(mif, MIF_ANNOUNCE_ADDRESSES, &msg->pvd);
    } else if (msg->type == MIF_NO_PVD) {
        post(mif, MIF_STOP_ELEMENTS, &msg->pvd);
        post(mif, MIF_STOP_ADDRESSES, &msg->pvd);
    }
}

static const char *address(const struct sockaddr_storage *from)
{
    static char text[INET6_ADDRSTRLEN];
    const void *octets = &((const struct sockaddr_in *)from)->sin_addr;
    if (from->ss_family == AF_INET6)
        octets = &((const struct sockaddr_in6 *)from)->sin6_addr;
    return inet_ntop(from->ss_family, octets, text, sizeof text) ? text : "?";
}

static void show(const struct mif_msg *msg)
{
    static const char *const elements[] = {"?", "ra", "dhcpv6", "dhcpv4", "static", "pvd"};
    const char *type = mif_type_name(msg->type);
    printf("%s", type ? type : "?");
    if (msg->ifid)
        printf(" %u", msg->ifid);
    if (msg->pvd.type)
        printf(" %s", msg->pvd.value);
    if (*msg->text)
        printf(" %s", msg->text);
    if (msg->src.ss_family)
        printf(" %s", address(&msg->src));
    if (msg->element)
        printf(" %s", elements[msg->element < 6 ? msg->element : 0]);
    putchar('\n');
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    list();

    mif_t *mif = mif_open(0);
    if (!mif) {
        perror("mif_open");
        return 1;
    }
    post(mif, MIF_ANNOUNCE_INTERFACES, NULL);
    post(mif, MIF_ANNOUNCE_PVDS, NULL);

    /* A program with an event loop of its own waits for mif_fd there. This one has none, and lets
     * mif_check wait, for standard input as well. */
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char ignored[512];
    for (;;) {
        struct mif_msg msg;
        while (msg.size = sizeof msg, mif_get(mif, &msg) == 1) {
            show(&msg);
            follow(mif, &msg);
        }
        input.revents = 0;
        if (mif_check(mif, &input, 1, -1) < 0 && errno != EINTR)
            break;
        if (input.revents && read(STDIN_FILENO, ignored, sizeof ignored) <= 0)
            break;
    }
    mif_close(mif);
    return 0;
}
