import CrowbarSQLite
import Glibc

/// The files in the data folder by which the command line finds a running server and proves its right.
enum ControlFiles {
    /// The Unix socket.
    static let socket = "crowbar.sock"
    /// The key that opens it, readable by the owner alone.
    static let keyFile = "admin.key"
    /// The key's length in bytes, before it is written in hexadecimal digits.
    static let keyBytes = 32

    /// The key, for one who may read it.
    static func key(in folder: String) throws -> String {
        let file = folder + "/" + keyFile
        if access(file, R_OK) != 0, errno == EACCES {
            throw Refusal("\(DataFolder.denial(folder, file: file, "cannot be read"))")
        }
        guard let bytes = try SmallFile.read(file) else { throw noServer(in: folder) }
        return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
    }

    /// Why nobody answers: there is no data folder, or no server on it.
    static func noServer(in folder: String) -> Refusal {
        do { try DataFolder.requireExisting(folder) } catch { return Refusal("\(error)") }
        return Refusal("no server runs on the data folder '\(folder)'; start one with 'crowbar serve'")
    }

    /// The key, made where there is none yet. For the one who holds the folder's lock.
    /// - Parameter random: Gives so many random bytes.
    static func makeKey(in folder: String, random: (Int) throws -> [UInt8]) throws -> String {
        let path = folder + "/" + keyFile
        if try SmallFile.read(path)?.isEmpty == false { return try key(in: folder) }
        let digits = Array("0123456789abcdef".utf8)
        let key = try random(keyBytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        // Whole or not at all, so that a crash in between leaves no half of a key.
        do { try PrivateFile.write(path, key + [0x0A]) } catch { throw Refusal("\(error)") }
        return String(decoding: key, as: UTF8.self)
    }
}
