import CrowbarMetrics
import Glibc

/// What the kernel tells of this process, by the names that Prometheus' own client libraries use.
enum ProcessMetrics {
    /// Adds the numbers to a report; those that cannot be read are left out.
    static func write(to report: inout MetricsReport) {
        var usage = rusage()
        if getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            report.add(.processCPU, value: seconds(usage.ru_utime) + seconds(usage.ru_stime))
        }
        if let count = openFiles() { report.add(.processOpenFiles, count: count) }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            report.add(.processMaxFiles, value: limit.rlim_cur == ~0 ? .infinity : Double(limit.rlim_cur))
        }
        guard let fields = statFields() else { return }
        if let bytes = Int64(fields[20]) { report.add(.processVirtualMemory, count: bytes) }
        if let pages = Int64(fields[21]) {
            report.add(.processResidentMemory, count: pages * Int64(sysconf(Int32(_SC_PAGESIZE))))
        }
        if let ticks = Double(fields[19]), let boot = bootTime() {
            report.add(.processStart, value: boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK))))
        }
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    private static func openFiles() -> Int? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            if entry.pointee.d_name.0 != 0x2E { count += 1 }
        }
        // The folder itself is open while it is read.
        return max(0, count - 1)
    }

    /// The fields of `/proc/self/stat` behind the command's name, which may hold spaces and parentheses (proc(5)).
    private static func statFields() -> [String]? {
        guard let stat = try? SmallFile.read("/proc/self/stat"), let name = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = stat[(name + 1)...].split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
        return fields.count > 21 ? fields : nil
    }

    /// The machine's start in seconds of Unix time.
    private static func bootTime() -> Double? {
        guard let stat = try? SmallFile.read("/proc/stat") else { return nil }
        let line = String(decoding: stat, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst(6)) }
    }
}
