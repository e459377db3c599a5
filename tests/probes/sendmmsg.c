/* Sends datagrams to port 7001 with sendmmsg(2): sendmmsg [-4|-6] [-t TOS] ADDRESS[*COUNT]...
 *
 * -6 takes an AF_INET6 socket, on which IPv4 addresses are v4-mapped; -t attaches IP_TOS or
 * IPV6_TCLASS to each message. Message N holds "N", "N.", "N.." in turn, so that lengths differ.
 * Each call prints what it returned and the lengths that were written back, and the next call goes
 * on behind it, until all is sent or a call fails. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MOST = 256 };

static struct sockaddr_storage names[MOST];
static char texts[MOST][16];
static union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
} controls[MOST];
static struct iovec data[MOST];
static struct mmsghdr messages[MOST];

static socklen_t address(const char *text, int six, struct sockaddr_storage *place)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)place;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)place;
    char mapped[64];
    if (!six && inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(7001);
        return sizeof *v4;
    }
    snprintf(mapped, sizeof mapped, "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(7001);
    if (inet_pton(AF_INET6, mapped, &v6->sin6_addr) != 1) {
        fprintf(stderr, "no address: %s\n", text);
        exit(2);
    }
    return sizeof *v6;
}

static void attach(struct mmsghdr *message, char *room, int level, int kind, int value)
{
    message->msg_hdr.msg_control = room;
    message->msg_hdr.msg_controllen = CMSG_SPACE(sizeof value);
    struct cmsghdr *piece = CMSG_FIRSTHDR(&message->msg_hdr);
    piece->cmsg_level = level;
    piece->cmsg_type = kind;
    piece->cmsg_len = CMSG_LEN(sizeof value);
    memcpy(CMSG_DATA(piece), &value, sizeof value);
}

int main(int argc, char **argv)
{
    int six = 0, tos = -1, option, count = 0;
    while ((option = getopt(argc, argv, "46t:")) != -1) {
        switch (option) {
        case '4': six = 0; break;
        case '6': six = 1; break;
        case 't': tos = atoi(optarg); break;
        default: return 2;
        }
    }
    for (int n = optind; n < argc; n++) {
        char *star = strchr(argv[n], '*');
        int times = star ? atoi(star + 1) : 1;
        if (star)
            *star = 0;
        for (; times > 0 && count < MOST; times--, count++) {
            struct msghdr *header = &messages[count].msg_hdr;
            header->msg_namelen = address(argv[n], six, &names[count]);
            header->msg_name = &names[count];
            snprintf(texts[count], sizeof texts[count], "%d%.*s", count, count % 3, "..");
            data[count].iov_base = texts[count];
            data[count].iov_len = strlen(texts[count]);
            header->msg_iov = &data[count];
            header->msg_iovlen = 1;
            messages[count].msg_len = 99;
            if (tos >= 0)
                attach(&messages[count], controls[count].bytes, six ? IPPROTO_IPV6 : IPPROTO_IP,
                       six ? IPV6_TCLASS : IP_TOS, tos);
        }
    }
    struct mmsghdr before[MOST];
    memcpy(before, messages, sizeof before);
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    int done = 0;
    while (done < count) {
        int sent = sendmmsg(fd, messages + done, count - done, 0);
        if (sent < 0) {
            printf("%s\n", strerrorname_np(errno));
            break;
        }
        printf("%d:", sent);
        for (int n = done; n < done + sent; n++)
            printf(" %u", messages[n].msg_len);
        printf("\n");
        done += sent;
    }
    /* An answer to a closed port would be followed by an ICMP error by the default route. */
    struct timeval limit = {.tv_sec = 3};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (char answer[64]; done > 0 && recv(fd, answer, sizeof answer, 0) > 0;)
        done--;
    /* Nothing but the lengths may have been written to. */
    for (int n = 0; n < count; n++)
        before[n].msg_len = messages[n].msg_len;
    if (memcmp(before, messages, sizeof before) != 0)
        printf("the application's headers were changed\n");
    return 0;
}
