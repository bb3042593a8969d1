#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <sys/epoll.h>

enum { batch = 64 };

int CSpawn_poller(void) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    return poller < 0 ? -errno : poller;
}

int CSpawn_watch(int poller, int pipe, bool writing, uint64_t number, bool again) {
    struct epoll_event event = {.events = (writing ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT, .data.u64 = number};
    return epoll_ctl(poller, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, pipe, &event) == 0 ? 0 : errno;
}

void CSpawn_forget(int poller, int pipe) { epoll_ctl(poller, EPOLL_CTL_DEL, pipe, &(struct epoll_event){0}); }

int CSpawn_wait(int poller, uint64_t numbers[64]) {
    struct epoll_event events[batch];
    int count = epoll_wait(poller, events, batch, -1);
    for (int i = 0; i < count; i++) numbers[i] = events[i].data.u64;
    return count < 0 ? 0 : count;
}
