import Dispatch
import Glibc
import Logging

/// Tells when something in a folder may have changed: a thin shell over inotify.
///
/// The kernel's events are taken for no more than a hint. What changed is found by reading the folder once it has been
/// quiet for a moment, so half-written files, files put in place by renaming and lost events all come out right. The
/// folder need not be there: the nearest folder above it that is there is watched instead.
final class FolderWatcher: Sendable {
    /// Milliseconds of quiet after which the folder is read.
    static let settle: Int64 = 150
    /// Milliseconds after the first event when it is read though there is no quiet.
    static let longest: Int64 = 700
    /// Bytes of events that are read at a time; what they say does not matter.
    private static let buffer = 4096

    private let folder: String
    private let logger: Logger
    private let wake: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation

    init(folder: String, logger: Logger) {
        self.folder = folder
        self.logger = logger
        (wake, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Ends ``run(_:)``.
    func stop() { ring.finish() }

    /// Calls after each change, until stopped or cancelled.
    func run(_ changed: () -> Void) async {
        let handle = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard handle >= 0 else {
            return logger.error(
                "the folder of plugins is not watched, 'crowbar plugins reload' reads it: \(Self.reason)")
        }
        // The source's queue does nothing but empty the descriptor and ring.
        let ring = ring
        let source = DispatchSource.makeReadSource(fileDescriptor: handle)
        source.setEventHandler {
            Self.empty(handle)
            ring.yield()
        }
        // Closed only once no handler can run any more.
        source.setCancelHandler { close(handle) }
        source.resume()
        defer { source.cancel() }
        watch(handle)
        // What happened between the first look at the folder and now was not seen.
        ring.yield()
        var seen: [String]?
        for await _ in wake {
            // A folder that has come since is watched from here on, and read after that.
            watch(handle)
            let stamp = await quiet()
            // Much may happen in the folder above that does not concern this one.
            if stamp == seen { continue }
            seen = stamp
            changed()
        }
    }

    /// Waits until nothing has happened for a moment, or for long enough.
    /// - Returns: How the folder looks then.
    private func quiet() async -> [String] {
        let start = ContinuousClock.now
        let longest = start + .milliseconds(Self.longest)
        var last = Self.stamp(folder)
        while ContinuousClock.now < longest, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(Self.settle))
            let now = Self.stamp(folder)
            if now == last { return now }
            last = now
        }
        return last
    }

    /// Names, sizes and times of the manifests: equal twice when nothing is being written. Of other files the names
    /// count, which may be misspelt; plugins write their own.
    private static func stamp(_ folder: String) -> [String] {
        let names = ((try? FileBytes.list(folder)) ?? []).filter { !$0.hasPrefix(".") }
        return names.prefix(2 * PluginFolder.maxPlugins).map { name in
            var info = stat()
            guard name.hasSuffix(".toml") else { return name }
            guard stat(folder + "/" + name, &info) == 0 else { return name }
            // The time of the last change of any kind, of rights too.
            return "\(name) \(info.st_ino) \(info.st_size) \(info.st_ctim.tv_sec).\(info.st_ctim.tv_nsec)"
        }
    }

    /// Watches the folder, and the nearest one above it that is there. What is watched already stays so.
    private func watch(_ handle: Int32) {
        // Twice, as a folder may come between the look at it and the watch above it.
        for _ in 0..<2 { watchOnce(handle) }
    }

    private func watchOnce(_ handle: Int32) {
        let changes = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB
        let isThere = inotify_add_watch(handle, folder, UInt32(changes | IN_ONLYDIR)) >= 0
        if !isThere, errno != ENOENT, errno != ENOTDIR {
            logger.error("'\(folder)' is not watched, 'crowbar plugins reload' reads it: \(Self.reason)")
        }
        // Above it, only what is made, renamed or removed can concern it.
        let moves = UInt32(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)
        var path = folder
        while let slash = path.lastIndex(of: "/") {
            path = String(path[..<slash])
            if inotify_add_watch(handle, path.isEmpty ? "/" : path, moves) >= 0 { return }
        }
    }

    private static func empty(_ handle: Int32) {
        var bytes = [UInt8](repeating: 0, count: buffer)
        while read(handle, &bytes, bytes.count) > 0 {}
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
