import Glibc
import Synchronization

/// A user and group of its own for each plugin, where the host may give one (``UserRights``). A plugin keeps its number
/// as long as the data folder is kept.
public final class PluginUsers: Sendable {
    /// Numbers that systemd hands out to services for as long as they run, and no distribution gives to people.
    public static let usualRange: ClosedRange<UInt32> = 61_184...65_519

    /// Why there is no number.
    struct Failure: Error {
        var reason: String
        /// Whether the system is short of something, so that there may be one later.
        var isTransient = false
    }

    /// Bytes of the file.
    private static let maxFile = 1 << 20

    private let range: ClosedRange<UInt32>
    private let file: String
    /// Whether a plugin that its user cannot run does not run at all. Else it runs as the host's, and that is logged.
    let isRequired: Bool
    /// Numbers that were offered to plugins and are not kept yet: plugins start side by side.
    private let offered = Mutex<[String: UInt32]>([:])

    /// - Parameters:
    ///   - range: The numbers that may be given.
    ///   - isRequired: Whether a plugin that its user cannot run does not run at all.
    ///   - file: Where they are kept: a line `NUMBER NAME` each, the last one of a name counts.
    public init(range: ClosedRange<UInt32>, isRequired: Bool, file: String) {
        self.range = range
        self.isRequired = isRequired
        self.file = file
    }

    /// Reads `61184-65519`; nil where it is no range of numbers from 1 up.
    public static func range(_ text: String) -> ClosedRange<UInt32>? {
        let halves = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt32($0) }
        guard halves.count == 2, let first = halves[0], let last = halves[1], first > 0, first <= last,
            last < UInt32(Int32.max)
        else { return nil }
        return first...last
    }

    /// A plugin's number.
    struct Number: Equatable {
        var number: UInt32
        /// Whether the plugin has it since an earlier start. Otherwise it is free, and ``keep(_:for:)`` gives it.
        var isKept: Bool
        /// Whether the plugin has had a number, this one or one of an earlier range.
        var hasHadOne: Bool
    }

    /// The number of a plugin, or one that is free for it.
    func number(of name: String) throws(Failure) -> Number {
        let known = try read()
        if let number = known[name], range.contains(number) {
            return Number(number: number, isKept: true, hasHadOne: true)
        }
        let offer = offered.withLock { offered -> UInt32? in
            offered[name] = nil
            let taken = Set(known.values).union(offered.values)
            offered[name] = Self.free(in: range, known: taken, isTaken: Self.isTaken)
            return offered[name]
        }
        guard let number = offer else {
            throw Failure(reason: "no number from \(range.lowerBound) to \(range.upperBound) is free for its user")
        }
        return Number(number: number, isKept: false, hasHadOne: known[name] != nil)
    }

    /// Gives a plugin a number for good.
    func keep(_ number: UInt32, for name: String) throws(Failure) {
        func failure(_ what: String) -> Failure {
            let error = FileBytes.Failure.ofSystem
            return Failure(reason: "'\(file)' cannot be \(what): \(error.reason)", isTransient: error.isTransient)
        }
        let descriptor = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw failure("opened") }
        defer { close(descriptor) }
        // Replays are processes of their own, which give numbers too.
        while flock(descriptor, LOCK_EX) != 0 { if errno != EINTR { throw failure("locked") } }
        let bytes = try bytes()
        let known = Self.read(bytes)
        if known[name] == number { return }
        if known.values.contains(number) {
            throw Failure(reason: "its number \(number) was given to another plugin meanwhile", isTransient: true)
        }
        // After a line that a crash has cut off.
        let start = bytes.last == 0x0A || bytes.isEmpty ? "" : "\n"
        let line = Array("\(start)\(number) \(name)\n".utf8)
        guard write(descriptor, line, line.count) == line.count, fsync(descriptor) == 0 else {
            throw failure("written")
        }
        offered.withLock { $0[name] = nil }
    }

    private func read() throws(Failure) -> [String: UInt32] {
        if access(file, F_OK) != 0, errno == ENOENT { return [:] }
        return Self.read(try bytes())
    }

    private func bytes() throws(Failure) -> [UInt8] {
        do {
            return try FileBytes.read(file, limit: Self.maxFile)
        } catch {
            throw Failure(reason: "'\(file)' cannot be read: \(error.reason)", isTransient: error.isTransient)
        }
    }

    /// Why a number cannot be taken; nil where it can. In a container there may be only some.
    /// - Parameter maps: What `/proc/self/uid_map` and `gid_map` say.
    static func obstacle(to number: UInt32, maps: [String]) -> String? {
        for map in maps {
            let ranges = map.split(separator: "\n").map { $0.split(separator: " ").compactMap { UInt64($0) } }
            let isMapped = ranges.contains { $0.count == 3 && $0[0] <= number && UInt64(number) - $0[0] < $0[2] }
            if !isMapped { return "there is no such number in the server's user namespace" }
        }
        return nil
    }

    /// The same for this process.
    /// - Throws: ``Failure`` where that cannot be read: what is not known must not make a plugin run as root.
    static func obstacle(to number: UInt32) throws(Failure) -> String? {
        func text(_ name: String) throws(Failure) -> String {
            let path = "/proc/self/" + name
            do {
                return String(decoding: try FileBytes.read(path, limit: 64 << 10), as: UTF8.self)
            } catch {
                throw Failure(reason: "'\(path)' cannot be read: \(error.reason)", isTransient: error.isTransient)
            }
        }
        return obstacle(to: number, maps: [try text("uid_map"), try text("gid_map")])
    }

    /// What a file of numbers says.
    static func read(_ bytes: [UInt8]) -> [String: UInt32] {
        var numbers: [String: UInt32] = [:]
        // What follows the last line feed was cut off.
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: 0x20)
            guard words.count == 2, let number = UInt32(String(decoding: words[0], as: UTF8.self)) else { continue }
            numbers[String(decoding: words[1], as: UTF8.self)] = number
        }
        return numbers
    }

    /// The lowest number that neither a plugin has nor anybody else.
    static func free(
        in range: ClosedRange<UInt32>, known: Set<UInt32>, isTaken: (UInt32) -> Bool
    ) -> UInt32? {
        range.first { !known.contains($0) && !isTaken($0) }
    }

    /// Whether the machine knows a user or group of that number.
    private static func isTaken(_ number: UInt32) -> Bool {
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        var user = passwd()
        var foundUser: UnsafeMutablePointer<passwd>?
        if getpwuid_r(number, &user, &buffer, buffer.count, &foundUser) == 0, foundUser != nil { return true }
        var group = group()
        var foundGroup: UnsafeMutablePointer<group>?
        return getgrgid_r(number, &group, &buffer, buffer.count, &foundGroup) == 0 && foundGroup != nil
    }
}
