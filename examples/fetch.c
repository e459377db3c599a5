/* Fetches http://HOST/ by each provisioning domain that this program may use, and then by whichever answers
 * first.
 *
 *     cc -o fetch fetch.c $(pkg-config --cflags --libs mif)
 *     ./fetch example.org
 */
#include <errno.h>
#include <mif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16, SECONDS = 10 };

static void send_all(int fd, const char *text)
{
    size_t length = strlen(text);
    for (ssize_t sent; length > 0; text += sent, length -= (size_t)sent)
        if ((sent = send(fd, text, length, MSG_NOSIGNAL)) < 0)
            return;
}

/* Sends the request, prints the first line of the answer's body, and closes the connection. */
static void fetch(int fd, const char *who, const char *host)
{
    const struct timeval patience = {.tv_sec = SECONDS};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    send_all(fd, "GET / HTTP/1.0\r\nHost: ");
    send_all(fd, host);
    send_all(fd, "\r\n\r\n");

    char answer[4096];
    size_t length = 0;
    for (ssize_t got; (got = recv(fd, answer + length, sizeof answer - 1 - length, 0)) > 0;)
        length += (size_t)got;
    answer[length] = '\0';
    close(fd);
    char *body = strstr(answer, "\r\n\r\n");
    printf("%s: %.*s\n", who, body ? (int)strcspn(body + 4, "\r\n") : 9, body ? body + 4 : "no answer");
}

/* A connection within one domain: its servers are asked for the name, and the address is good there. */
static int connect_within(const mif_pvdid_t *pvd, const char *host)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list;
    int fd = -1, code = mif_getaddrinfo(pvd, host, "http", &hints, &list);
    if (code) {
        printf("%s: %s\n", pvd->value, code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
        return -1;
    }
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        /* Without MIF_F_PREFER: by this domain or not at all. */
        if (fd >= 0 && mif_socket_pvd(fd, pvd, 0) == 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0)
            break;
        if (!at->ai_next)
            printf("%s: %s\n", pvd->value, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    return fd;
}

int main(int count, char **words)
{
    if (count != 2) {
        fprintf(stderr, "usage: %s HOST\n", *words);
        return 2;
    }
    const char *host = words[1];
    mif_pvdid_t pvds[MOST];
    size_t n = MOST;
    if (mif_pvd_list(0, pvds, &n) < 0) {
        perror("mif_pvd_list");
        return 1;
    }
    if (n > MOST)
        n = MOST;
    for (size_t at = 0; at < n; at++) {
        int fd = connect_within(&pvds[at], host);
        if (fd >= 0)
            fetch(fd, pvds[at].value, host);
    }

    /* Happy Eyeballs: the first domain is preferred, and a silent one costs a quarter of a second. */
    int fd = mif_connect_name(pvds, n, 0, host, "http", SECONDS * 1000);
    if (fd < 0) {
        perror("mif_connect_name");
        return 1;
    }
    mif_pvdid_t winner;
    printf("first ");
    fetch(fd, mif_sock_get_pvd(fd, &winner) == 0 ? winner.value : "some network", host);
    return 0;
}
