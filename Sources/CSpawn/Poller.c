#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

int CSpawn_waker(int poller) {
    int waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (waker < 0) return -errno;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = CSpawn_woken};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, waker, &event) == 0) return waker;
    int problem = errno;
    close(waker);
    return -problem;
}

void CSpawn_wake(int waker) { eventfd_write(waker, 1); }

int CSpawn_wait(int poller, int waker, bool blocking, uint64_t numbers[64]) {
    struct epoll_event events[batch];
    int found = epoll_wait(poller, events, batch, blocking ? -1 : 0);
    int count = 0;
    for (int i = 0; i < found; i++) {
        uint64_t number = events[i].data.u64, times;
        if (number == CSpawn_woken) eventfd_read(waker, &times);
        else numbers[count++] = number;
    }
    return count;
}
