/// An Amazon Resource Name: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
struct ARN: Hashable, Sendable {
    /// The longest that is read, in bytes.
    static let maxLength = 1024

    /// The whole text.
    let text: String
    /// As `aws`, `aws-cn`.
    let partition: String
    /// As `lambda`.
    let service: String
    /// As `eu-central-1`; empty for a role.
    let region: String
    /// Twelve digits.
    let account: String
    /// What is left, as `function:audit` or `role/crowbar`.
    let resource: String

    /// Takes a text apart; nil where it is none.
    init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false).map(String.init)
        guard text.utf8.count <= Self.maxLength, parts.count == 6, parts[0] == "arn",
            Self.isPart(parts[1]), parts[1].hasPrefix("aws"), Self.isPart(parts[2]),
            parts[3].isEmpty || Self.isPart(parts[3]),
            parts[4].utf8.count == 12, parts[4].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            !parts[5].isEmpty, parts[5].utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        self.text = text
        (partition, service, region, account, resource) = (parts[1], parts[2], parts[3], parts[4], parts[5])
    }

    /// The domain that the partition's services have their names in; nil where it is not known.
    var domain: String? {
        switch partition {
        case "aws", "aws-us-gov": "amazonaws.com"
        case "aws-cn": "amazonaws.com.cn"
        default: nil
        }
    }

    private static func isPart(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D }
    }
}
