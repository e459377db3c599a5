/* The resolver's own functions: resolver CALL NAME TYPE [DOMAIN | SIZE | SERVER]
 *
 * CALL is query, search, querydomain, send, and each with an n in front for a state of its own, or
 * old- for the names that programs built before glibc 2.34 import. SIZE is that of the buffer.
 * ntwice asks twice with one state, nmine names SERVER in the state first, nstream wants a
 * connection and nedns EDNS. Prints the length and rcode, then a line a record; or -1 with errno
 * and h_errno. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int old_query(const char *, int, int, unsigned char *, int);
int old_nquery(res_state, const char *, int, int, unsigned char *, int);
int old_search(const char *, int, int, unsigned char *, int);
int old_nsearch(res_state, const char *, int, int, unsigned char *, int);
int old_querydomain(const char *, const char *, int, int, unsigned char *, int);
int old_nquerydomain(res_state, const char *, const char *, int, int, unsigned char *, int);
int old_send(const unsigned char *, int, unsigned char *, int);
int old_nsend(res_state, const unsigned char *, int, unsigned char *, int);
#ifdef __x86_64__
__asm__(".symver old_query, __res_query@GLIBC_2.2.5");
__asm__(".symver old_nquery, __res_nquery@GLIBC_2.2.5");
__asm__(".symver old_search, __res_search@GLIBC_2.2.5");
__asm__(".symver old_nsearch, __res_nsearch@GLIBC_2.2.5");
__asm__(".symver old_querydomain, __res_querydomain@GLIBC_2.2.5");
__asm__(".symver old_nquerydomain, __res_nquerydomain@GLIBC_2.2.5");
__asm__(".symver old_send, __res_send@GLIBC_2.2.5");
__asm__(".symver old_nsend, __res_nsend@GLIBC_2.2.5");
#else
#define old_query res_query
#define old_nquery res_nquery
#define old_search res_search
#define old_nsearch res_nsearch
#define old_querydomain res_querydomain
#define old_nquerydomain res_nquerydomain
#define old_send res_send
#define old_nsend res_nsend
#endif

static unsigned char answer[70000];

/* By hand: the parser of glibc is in libresolv, which programs of today need not link. */
static void print_records(int length)
{
    const unsigned char *end = answer + length, *at = answer + sizeof(HEADER);
    int count = ntohs(((HEADER *)answer)->ancount);
    char text[NS_MAXDNAME];
    int skipped = dn_skipname(at, end);
    at += skipped + QFIXEDSZ;
    for (int n = 0; skipped >= 0 && n < count; n++) {
        if ((skipped = dn_skipname(at, end)) < 0 || at + skipped + RRFIXEDSZ > end)
            break;
        at += skipped;
        int type = at[0] << 8 | at[1], size = at[8] << 8 | at[9];
        at += RRFIXEDSZ;
        int head = type == ns_t_srv ? 6 : type == ns_t_mx ? 2 : 0;
        if (type == ns_t_a)
            inet_ntop(AF_INET, at, text, sizeof text);
        else if (type == ns_t_aaaa)
            inet_ntop(AF_INET6, at, text, sizeof text);
        else if (type == ns_t_txt)
            snprintf(text, sizeof text, "%.*s", *at, at + 1);
        else if (dn_expand(answer, end, at + head, text, sizeof text) < 0)
            strcpy(text, "unreadable");
        printf("%d %s\n", type, text);
        at += size;
    }
    if (skipped < 0)
        printf("unreadable\n");
}

static void print(int length, int room)
{
    if (length < 0) {
        printf("-1 %s, h_errno %d\n", strerrorname_np(errno), h_errno);
        return;
    }
    HEADER *header = (HEADER *)answer;
    printf("%d bytes, rcode %d, tc %d, ad %d, %d answers\n", length, header->rcode, header->tc,
           header->ad, ntohs(header->ancount));
    if (length <= room && !header->tc)
        print_records(length);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const char *call = argv[1], *name = argv[2], *more = argc > 4 ? argv[4] : "";
    int type = atoi(argv[3]), room = atoi(more) ? atoi(more) : (int)sizeof answer, length = -2;
    if (room > (int)sizeof answer || strchr(more, '.'))
        room = sizeof answer;
    struct __res_state state = {0};
    if (res_ninit(&state))
        return 3;
    unsigned char packet[512];
    int size = res_mkquery(ns_o_query, name, ns_c_in, type, NULL, 0, NULL, packet, sizeof packet);
    /* What lies behind the buffer must stay as it is. */
    memset(answer, 0xa5, sizeof answer);
    errno = 0;
    h_errno = 0;
    if (!strcmp(call, "query"))
        length = res_query(name, ns_c_in, type, answer, room);
    else if (!strcmp(call, "nquery"))
        length = res_nquery(&state, name, ns_c_in, type, answer, room);
    else if (!strcmp(call, "search"))
        length = res_search(name, ns_c_in, type, answer, room);
    else if (!strcmp(call, "nsearch"))
        length = res_nsearch(&state, name, ns_c_in, type, answer, room);
    else if (!strcmp(call, "querydomain"))
        length = res_querydomain(name, more, ns_c_in, type, answer, sizeof answer);
    else if (!strcmp(call, "nquerydomain"))
        length = res_nquerydomain(&state, name, more, ns_c_in, type, answer, sizeof answer);
    else if (!strcmp(call, "send"))
        length = res_send(packet, size, answer, room);
    else if (!strcmp(call, "nsend"))
        length = res_nsend(&state, packet, size, answer, room);
    else if (!strcmp(call, "old-query"))
        length = old_query(name, ns_c_in, type, answer, room);
    else if (!strcmp(call, "old-nquery"))
        length = old_nquery(&state, name, ns_c_in, type, answer, room);
    else if (!strcmp(call, "old-search"))
        length = old_search(name, ns_c_in, type, answer, room);
    else if (!strcmp(call, "old-nsearch"))
        length = old_nsearch(&state, name, ns_c_in, type, answer, room);
    else if (!strcmp(call, "old-querydomain"))
        length = old_querydomain(name, more, ns_c_in, type, answer, sizeof answer);
    else if (!strcmp(call, "old-nquerydomain"))
        length = old_nquerydomain(&state, name, more, ns_c_in, type, answer, sizeof answer);
    else if (!strcmp(call, "old-send"))
        length = old_send(packet, size, answer, room);
    else if (!strcmp(call, "old-nsend"))
        length = old_nsend(&state, packet, size, answer, room);
    else if (!strcmp(call, "nstream")) {
        state.options |= RES_USEVC;
        length = res_nquery(&state, name, ns_c_in, type, answer, room);
    } else if (!strcmp(call, "nedns")) {
        state.options |= RES_USE_EDNS0;
        length = res_nquery(&state, name, ns_c_in, type, answer, room);
    } else if (!strcmp(call, "ntwice")) {
        res_nquery(&state, name, ns_c_in, type, answer, room);
        length = res_nquery(&state, name, ns_c_in, type, answer, room);
    } else if (!strcmp(call, "nmine")) {
        state.nscount = 1;
        state.nsaddr_list[0].sin_family = AF_INET;
        state.nsaddr_list[0].sin_port = htons(53);
        inet_pton(AF_INET, more, &state.nsaddr_list[0].sin_addr);
        length = res_nquery(&state, name, ns_c_in, type, answer, sizeof answer);
    } else
        return 4;
    print(length, room);
    for (int n = room; n < (int)sizeof answer; n++)
        if (answer[n] != 0xa5) {
            printf("written past the buffer\n");
            break;
        }
    if (strncmp(call, "n", 1) == 0 && length < 0 && state.res_h_errno != h_errno)
        printf("the state says %d\n", state.res_h_errno);
    res_nclose(&state);
    return 0;
}
