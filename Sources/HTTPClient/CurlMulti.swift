import CCurl

/// A libcurl multi handle, which lives as long as the process: all requests of one thread.
// Unchecked: the pointer never changes. Of libcurl's calls only curl_multi_wakeup is made from other threads, which its
// manual allows; all others are those of the one thread that uses the handle.
package final class CurlMulti: @unchecked Sendable {
    /// The handle.
    package let pointer: OpaquePointer

    /// Makes a handle.
    /// - Parameter maxIdle: Connections that are kept open for the next request, at most.
    /// - Returns: nil where libcurl cannot start.
    package init?(maxIdle: Int) {
        guard Self.hasStarted, let pointer = ccurl_multi_make(maxIdle) else { return nil }
        self.pointer = pointer
    }

    /// Ends a wait of the thread; callable from any other.
    package func wakeUp() { ccurl_multi_wakeup(pointer) }

    /// Once a process.
    private static let hasStarted = ccurl_global_init()
}
