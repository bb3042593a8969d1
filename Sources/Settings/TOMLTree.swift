import JSONBytes
import TOMLKit

/// Turns what the TOML parser holds into a tree of JSON values.
struct TOMLTree {
    let file: String
    let lines: KeyLines

    func members(_ table: TOMLTable, at path: [String]) throws(SettingsError) -> [JSON.Member] {
        var members: [JSON.Member] = []
        for key in table.keys {
            guard let value = table[key] else { continue }
            members.append(JSON.Member(key, try self.value(value, at: path + [key])))
        }
        return members
    }

    private func value(_ value: any TOMLValueConvertible, at path: [String]) throws(SettingsError) -> JSON {
        switch value.type {
        case .table:
            if let table = value.table { return .object(try members(table, at: path)) }
        case .array:
            if let array = value.array {
                var elements: [JSON] = []
                for index in 0..<array.count {
                    elements.append(try self.value(array[index], at: path + ["[\(index)]"]))
                }
                return .array(elements)
            }
        case .string: if let text = value.string { return .string(text) }
        case .int: if let number = value.int { return .int(Int64(number)) }
        case .double:
            if let number = value.double {
                if number.isFinite { return .double(number) }
                throw error(path, "must be a finite number")
            }
        case .bool: if let truth = value.bool { return .bool(truth) }
        case .date, .time, .dateTime: throw error(path, "dates and times are written as strings here, in quotes")
        }
        throw error(path, "cannot be read")
    }

    private func error(_ path: [String], _ reason: String) -> SettingsError {
        SettingsError(file: file, line: lines.line(of: path), key: SettingsReader.text(path), reason: reason)
    }
}
