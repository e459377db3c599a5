/* The companion object by itself, as libmif.so calls it: companion PATH
 *
 * A connection that can no longer be written to must not end the program by SIGPIPE. Says what each
 * call returned and what it was told, and that the connection is closed. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void tell(void *to, const uint8_t *bytes, size_t length)
{
    snprintf(to, 200, "%.*s", (int)length, (const char *)bytes);
}

int main(int argc, char **argv)
{
    (void)argc;
    void *object = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    int (*exchange)(int, const char *, const char *, const uint8_t *, size_t, uint64_t,
                    void (*)(void *, const uint8_t *, size_t), void *);
    if (!object || !(exchange = dlsym(object, "mif_tls_exchange_1"))) {
        puts(dlerror());
        return 1;
    }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&at, size);
    listen(listener, 5);
    getsockname(listener, (struct sockaddr *)&at, &size);
    const char *paths[] = {NULL, "/dns-query"};
    for (int n = 0; n < 2; n++) {
        int connection = socket(AF_INET, SOCK_STREAM, 0);
        connect(connection, (struct sockaddr *)&at, size);
        shutdown(connection, SHUT_WR);
        char text[200] = "nothing";
        int code = exchange(connection, "dns.example", paths[n], (const uint8_t *)"\0\1x", 3, 2000,
                            tell, text);
        printf("%d %s, %s\n", code, text, fcntl(connection, F_GETFD) < 0 ? "closed" : "open");
    }
    return 0;
}
