@_silgen_name("HMAC") private func cHMAC(
    _ md: OpaquePointer?, _ key: UnsafeRawPointer, _ length: Int32, _ data: UnsafePointer<UInt8>?, _ count: Int,
    _ out: UnsafeMutablePointer<UInt8>, _ size: UnsafeMutablePointer<UInt32>
) -> UnsafeMutablePointer<UInt8>?
@_silgen_name("EVP_sha256") private func cSHA256() -> OpaquePointer?
public enum HMAC {
    public static func sha256(key: [UInt8], _ text: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 32)
        var size: UInt32 = 32
        _ = cHMAC(cSHA256(), key, Int32(key.count), text, text.count, &out, &size)
        return out
    }
}
