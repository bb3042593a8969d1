import CrowbarSQLite
import CrowbarViews
import Glibc
import JSONBytes

/// `crowbar check --upgrade`: what this version will do to each database when the server starts.
struct UpgradeCheck {
    let plans: [UpgradePlan]

    /// Looks at the databases of a data folder; nil where the folder is not there.
    init?(_ folder: String) {
        guard access(folder, F_OK) == 0 else { return nil }
        umask(0o077)
        plans = UpgradePlan.all(in: folder) + [ViewsDatabase.upgradePlan(in: folder)]
    }

    init(plans: [UpgradePlan]) { self.plans = plans }

    /// The table for people.
    var lines: [String] {
        Table(
            columns: ["DATABASE", "FROM", "TO", "SIZE", "CHANGE", "TIME", "REVERSIBLE"].map { Table.Column($0) },
            rows: plans.map { plan in
                [
                    .string(plan.name), plan.found.map { .int(Int64($0)) }, .int(Int64(plan.supported)),
                    .string(Self.size(plan.bytes)), .string(plan.change.rawValue), .string(Self.time(plan)),
                    .string(plan.isReversible.map { $0 ? "yes" : "no" } ?? "-"),
                ]
            }
        ).lines
    }

    /// What to do, below the table.
    var advice: [String] {
        var lines = plans.compactMap { plan in plan.detail.map { "\(plan.name): \($0)" } }
        let lost = plans.filter { $0.isReversible == false }.map(\.name)
        if !lost.isEmpty, errors.isEmpty {
            lines.append(
                "the version before cannot open \(lost.joined(separator: ", ")) any more once this one has; make a "
                    + "backup first ('crowbar backup FOLDER'), which is the way back")
        }
        return lines
    }

    /// Why the server of this version would not start.
    var errors: [String] {
        plans.compactMap { plan in
            switch plan.change {
            case .refused:
                "\(StoreError.newerFormat(path: plan.path, found: plan.found ?? 0, supported: plan.supported))"
            case .unreadable where plan.name != "views.db":
                "\(StoreError.cannotOpen(path: plan.path, why: plan.detail ?? "it cannot be read"))"
            default: nil
            }
        }
    }

    /// For programs.
    var json: JSON {
        .array(
            plans.map { plan in
                var members: [JSON.Member] = [
                    .init("database", .string(plan.name)), .init("change", .string(plan.change.rawValue)),
                ]
                if let found = plan.found { members.append(.init("from", .int(Int64(found)))) }
                members += [
                    .init("to", .int(Int64(plan.supported))), .init("bytes", .int(plan.bytes)),
                    .init("seconds", .int(plan.seconds)),
                ]
                if let isReversible = plan.isReversible { members.append(.init("reversible", .bool(isReversible))) }
                if let detail = plan.detail { members.append(.init("detail", .string(detail))) }
                return .object(members)
            })
    }

    private static func size(_ bytes: Int64) -> String {
        if bytes == 0 { return "-" }
        if bytes < 1 << 20 { return "\((bytes + 1_023) >> 10) KiB" }
        return bytes < 10 << 30 ? "\(bytes >> 20) MiB" : "\(bytes >> 30) GiB"
    }

    private static func time(_ plan: UpgradePlan) -> String {
        switch plan.seconds {
        case 0: "-"
        case 1: "under 1 s"
        case 2...120: "about \(plan.seconds) s"
        default: "about \((plan.seconds + 59) / 60) min"
        }
    }
}
