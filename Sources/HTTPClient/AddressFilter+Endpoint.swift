extension AddressFilter {
    /// The rule for an endpoint of the server's own configuration. Public addresses and those of private networks are
    /// allowed: stores stand there, and VPC endpoints do. Those of metadata services never are, as they hand out
    /// credentials: link-local ones, and the ones that clouds have in private networks.
    /// - Parameter isNamed: Whether the configuration names the endpoint. Then it may be on this machine.
    package static func endpoint(isNamed: Bool) -> AddressFilter {
        let blocks = isNamed ? privateNetworks + loopback : privateNetworks
        return AddressFilter(leave: .blocks(blocks.compactMap { AddressBlock($0) }), denied: metadata)
    }

    private static let privateNetworks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]
    /// Amazon EC2 and ECS by IPv6, Alibaba Cloud, Oracle Cloud.
    private static let metadata = ["fd00:ec2::/32", "100.100.100.200/32", "192.0.0.192/32"].compactMap {
        AddressBlock($0)
    }
    private static let loopback = ["127.0.0.0/8", "::1/128"]
}
