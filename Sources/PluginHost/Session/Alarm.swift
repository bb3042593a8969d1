import Dispatch

/// Rings at a time on the monotonic clock, in milliseconds; one time is set at most. Owned by one task.
final class Alarm {
    /// Milliseconds by which a far time may ring late.
    static let leeway = 500

    private let timer: any DispatchSourceTimer
    private var set: Int64?

    init(_ ring: @escaping @Sendable () -> Void) {
        timer = DispatchSource.makeTimerSource(queue: .global())
        timer.setEventHandler(handler: ring)
        timer.schedule(deadline: .distantFuture)
        timer.resume()
    }

    deinit { timer.cancel() }

    /// Sets the time, in place of the one set before; nil for none.
    func ring(at time: Int64?, now: Int64) {
        // A time that has passed fires again only when it is set again.
        if set == time, (time ?? .max) > now { return }
        set = time
        guard let time else { return timer.schedule(deadline: .distantFuture) }
        let wait = Int(clamping: max(0, time - now))
        // Far times may come together with those of others, so that hundreds of silent plugins rarely wake the host.
        let leeway = min(max(1, wait / 16), Self.leeway)
        timer.schedule(deadline: .now() + .milliseconds(wait), leeway: .milliseconds(leeway))
    }
}
