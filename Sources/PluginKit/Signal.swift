import Glibc

/// A condition that threads wait for (POSIX `pthread_cond_t`).
// Unchecked: the pointers never change, and POSIX makes the calls on them safe from any thread.
final class Signal: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Makes every waiting thread look at its condition again.
    func notify() {
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Waits until `isMet`, which is asked now and after each ``notify()``.
    func wait(until isMet: () -> Bool) {
        pthread_mutex_lock(mutex)
        while !isMet() { pthread_cond_wait(condition, mutex) }
        pthread_mutex_unlock(mutex)
    }
}

/// Starts a detached thread: the only way to read and write pipes without a place in the cooperative pool.
package func startThread(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(ThreadBody(body))
    var thread = pthread_t()
    let failed = pthread_create(
        &thread, nil,
        { box in
            if let box { Unmanaged<ThreadBody>.fromOpaque(box).takeRetainedValue().run() }
            return nil
        }, box.toOpaque())
    if failed != 0 {
        box.release()
        // Without its reader a plugin can do nothing at all; the host sees the exit and says so.
        fatalError("cannot start a thread: error \(failed)")
    }
    pthread_detach(thread)
}

private final class ThreadBody: Sendable {
    private let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    func run() { body() }
}
