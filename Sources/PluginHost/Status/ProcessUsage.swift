import Glibc

/// What the processes of plugins use, as the kernel tells.
struct ProcessUsage: Equatable {
    /// Bytes of memory that are resident.
    var memory: Int64 = 0
    /// Seconds of processor time, of ended children too.
    var seconds: Double = 0

    /// A process of the kernel's table.
    struct Process: Equatable {
        var parent: Int32
        var memory: Int64
        var seconds: Double

        /// Reads `/proc/PID/stat` (proc(5)). The command's name may hold spaces and parentheses, so the fields are read
        /// from behind the last one.
        /// - Parameters:
        ///   - ticks: Ticks of the kernel's clock in a second.
        ///   - page: Bytes of a page of memory.
        init?(stat: [UInt8], ticks: Int, page: Int) {
            guard let name = stat.lastIndex(of: UInt8(ascii: ")")) else { return nil }
            let fields = stat[(name + 1)...].split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
            guard fields.count > 21, let parent = Int32(fields[1]), let pages = Int64(fields[21]) else { return nil }
            self.parent = parent
            memory = pages * Int64(page)
            seconds = Double(fields[11...14].reduce(0) { $0 + (Int64($1) ?? 0) }) / Double(ticks)
        }
    }

    /// The use of several processes, each with all its descendants.
    static func of(_ roots: Set<Int32>) -> [Int32: ProcessUsage] {
        if roots.isEmpty { return [:] }
        let (ticks, page) = (sysconf(Int32(_SC_CLK_TCK)), sysconf(Int32(_SC_PAGESIZE)))
        guard ticks > 0, page > 0, let folder = opendir("/proc") else { return [:] }
        defer { closedir(folder) }
        var table: [Int32: Process] = [:]
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let pid = Int32(name), let stat = try? FileBytes.read("/proc/\(pid)/stat", limit: 4_096),
                let process = Process(stat: stat, ticks: ticks, page: page)
            else { continue }
            table[pid] = process
        }
        return sum(table, roots)
    }

    /// Adds each process to the root above it.
    static func sum(_ table: [Int32: Process], _ roots: Set<Int32>) -> [Int32: ProcessUsage] {
        var usage: [Int32: ProcessUsage] = [:]
        for (pid, process) in table {
            var (above, steps) = (pid, 0)
            // The table is no snapshot: a number may have been given out again, and so close a circle.
            while !roots.contains(above), let parent = table[above]?.parent, steps < table.count {
                above = parent
                steps += 1
            }
            guard roots.contains(above) else { continue }
            usage[above, default: ProcessUsage()].memory += process.memory
            usage[above, default: ProcessUsage()].seconds += process.seconds
        }
        return usage
    }
}
