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
    /// The number that the search for a free one begins with.
    private let start: UInt32
    /// Whether a plugin that its user cannot run does not run at all. Else it runs as the host's, and that is logged.
    let isRequired: Bool
    /// Numbers that were offered to plugins and are not kept yet: plugins start side by side.
    private let offered = Mutex<[String: UInt32]>([:])

    /// Whether the numbers of plugins without one are what a server gives them: it is not known before the data folder
    /// is there.
    let isSettled: Bool

    /// - Parameters:
    ///   - range: The numbers that may be given.
    ///   - isRequired: Whether a plugin that its user cannot run does not run at all.
    ///   - file: Where they are kept: a line `NUMBER NAME` each, the last one of a name counts.
    ///   - folder: The data folder, which the search for a free number begins by.
    public convenience init(range: ClosedRange<UInt32>, isRequired: Bool, file: String, folder: String) {
        var info = stat()
        // A server has the folder before it has plugins. Without it the search begins with the lowest number.
        let isThere = stat(folder, &info) == 0
        let start = isThere ? Self.start(in: range, device: UInt64(info.st_dev), file: UInt64(info.st_ino)) : nil
        self.init(
            range: range, isRequired: isRequired, file: file, start: start ?? range.lowerBound, isSettled: isThere)
    }

    /// - Parameter start: The number that the search for a free one begins with.
    init(range: ClosedRange<UInt32>, isRequired: Bool, file: String, start: UInt32, isSettled: Bool = true) {
        self.range = range
        self.isRequired = isRequired
        self.file = file
        self.start = start
        self.isSettled = isSettled
    }

    /// Sets numbers aside for the enabled plugins that have none, in the order of their names: which plugin gets which
    /// does not depend on which one starts first. What was set aside for others is free again.
    func expect(_ manifests: [Manifest]) {
        let running = Self.running()
        let names = manifests.filter(\.isEnabled).map(\.name).sorted()
        offered.withLock { offered in
            guard let known = try? read() else { return }
            offered = offered.filter { names.contains($0.key) }
            for name in names where offered[name] == nil {
                if let number = known[name], range.contains(number) { continue }
                let taken = Set(known.values).union(offered.values).union(running)
                offered[name] = Self.free(in: range, from: start, known: taken, isTaken: Self.isTaken)
            }
        }
    }

    /// A plugin's number for people.
    func words(_ number: Number) -> String {
        if number.isKept || isSettled { return "\(number.number)" }
        return "\(number.number) (or another one: the numbers begin at one that follows from the data folder, which is "
            + "not there yet)"
    }

    /// Where a data folder begins in a range: servers of one machine, which do not know each other's numbers, begin far
    /// from each other as a rule. The hash is FNV-1a.
    static func start(in range: ClosedRange<UInt32>, device: UInt64, file: UInt64) -> UInt32 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for value in [device, file] {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                hash = (hash ^ (value >> shift) & 0xFF) &* 0x100_0000_01B3
            }
        }
        return range.lowerBound + UInt32(hash % UInt64(range.count))
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
        if let number = try read()[name], range.contains(number) {
            return Number(number: number, isKept: true, hasHadOne: true)
        }
        let running = Self.running()
        return try offered.withLock { offered throws(Failure) in
            // A number that is kept meanwhile leaves what is offered only once it is in the file.
            let known = try read()
            offered[name] = nil
            let taken = Set(known.values).union(offered.values).union(running)
            guard let number = Self.free(in: range, from: start, known: taken, isTaken: Self.isTaken) else {
                throw Failure(reason: "no number from \(range.lowerBound) to \(range.upperBound) is free for its user")
            }
            offered[name] = number
            return Number(number: number, isKept: false, hasHadOne: known[name] != nil)
        }
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

    /// The first number from a start on, and then from the range's lower end, that neither a plugin nor anybody else
    /// has.
    static func free(
        in range: ClosedRange<UInt32>, from start: UInt32, known: Set<UInt32>, isTaken: (UInt32) -> Bool
    ) -> UInt32? {
        func isFree(_ number: UInt32) -> Bool { !known.contains(number) && !isTaken(number) }
        return (start...range.upperBound).first(where: isFree) ?? range.first(where: isFree)
    }

    /// The users that processes run as, of those that this process may see. systemd's `DynamicUser=` and other servers
    /// take numbers from the same range.
    private static func running() -> Set<UInt32> {
        var users: Set<UInt32> = []
        for pid in ((try? FileBytes.list("/proc")) ?? []).compactMap({ Int32($0) }) {
            guard let bytes = try? FileBytes.read("/proc/\(pid)/status", limit: 16 << 10) else { continue }
            let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            for line in lines where line.hasPrefix("Uid:") || line.hasPrefix("Gid:") {
                users.formUnion(line.split(separator: "\t").dropFirst().compactMap { UInt32($0) })
            }
        }
        return users
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
