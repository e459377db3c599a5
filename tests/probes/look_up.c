/* Names by libc, whichever it is, and what is found there: look_up NAME PORT. Says each address of the
 * name, and what the far end says on a connection to the first: the peer that it saw. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (argc != 3)
        return 2;
    int failure = getaddrinfo(argv[1], argv[2], &hints, &found);
    if (failure) {
        puts(gai_strerror(failure));
        return 1;
    }
    for (struct addrinfo *one = found; one; one = one->ai_next) {
        char text[64];
        getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
        puts(text);
    }
    char said[64] = "";
    int fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (connect(fd, found->ai_addr, found->ai_addrlen) || read(fd, said, sizeof said - 1) < 0) {
        perror("connect");
        return 1;
    }
    said[strcspn(said, " \n")] = 0;
    printf("seen as %s\n", said);
    return 0;
}
