/// Text of people made safe to stand beside other text: names, topics, quotes. What people say in messages stays exact;
/// each output escapes it by its own rules.
///
/// Everything goes by code point. A `Character` of Swift can hold several, so that a sign which matters is missed where
/// another one combines with it.
package enum ShownText {
    /// A name's length at most, in bytes.
    package static let longestName = 256
    /// Marks on one letter at most; more are there to cover what stands above and below.
    static let mostMarks = 4

    /// Signs by which an output tells a name from the text around it, with all that looks like them.
    package struct Signs: Sendable, Equatable {
        /// Those of ASCII, a bit each.
        private var low: UInt64 = 0
        private var high: UInt64 = 0
        private var others: Set<Unicode.Scalar> = []

        /// The signs of a text.
        package init(_ text: String = "") {
            for scalar in text.unicodeScalars {
                let sign = ShownText.plainSign(scalar)
                switch sign.value {
                case 0..<64: low |= 1 << sign.value
                case 64..<128: high |= 1 << (sign.value - 64)
                default: others.insert(sign)
                }
            }
        }

        /// These and those of another text.
        package func adding(_ text: String) -> Signs {
            var (all, more) = (self, Signs(text))
            more.others.formUnion(others)
            (all.low, all.high, all.others) = (low | more.low, high | more.high, more.others)
            return all
        }

        func contains(_ byte: UInt8) -> Bool {
            byte < 64 ? low & 1 << UInt64(byte) != 0 : byte < 128 && high & 1 << UInt64(byte - 64) != 0
        }

        /// Whether a sign is one of these, or looks like one.
        package func contains(_ scalar: Unicode.Scalar) -> Bool {
            let sign = ShownText.plainSign(scalar)
            return sign.isASCII ? contains(UInt8(truncatingIfNeeded: sign.value)) : others.contains(sign)
        }
    }

    /// A name on one line: without control characters, signs that turn the direction of text, and what has no width,
    /// with single spaces, and without `delimiters` and what looks like them. Empty where nothing is left.
    /// - Parameters:
    ///   - delimiters: The signs by which the output tells a name from the text around it.
    ///   - most: The most bytes.
    package static func name(
        _ text: String, without delimiters: Signs = Signs(), most: Int = longestName
    ) -> String {
        if isPlain(text, delimiters, most) { return text }
        // What is dropped costs no room, but is not looked at without end either.
        let scalars = Array(text.unicodeScalars.prefix(most * 4))
        var out = String.UnicodeScalarView()
        var (room, marks, isSpaceDue) = (most, 0, false)
        for (i, scalar) in scalars.enumerated() {
            if isSpace(scalar) {
                isSpaceDue = true
                continue
            }
            if isHidden(scalar), !joinsEmoji(scalars, i) { continue }
            if delimiters.contains(scalar) { continue }
            let isMark = isMark(scalar)
            marks = isMark ? marks + 1 : 0
            // A mark without a letter would combine with what stands before the name.
            if isMark, out.isEmpty || isSpaceDue || marks > mostMarks { continue }
            let hasSpace = isSpaceDue && !out.isEmpty
            room -= UTF8.width(scalar) + (hasSpace ? 1 : 0)
            if room < 0 { break }
            if hasSpace { out.append(" ") }
            isSpaceDue = false
            out.append(scalar)
        }
        return String(out)
    }

    /// A topic or the like on one line: without control characters, signs that turn the direction of text, and signs
    /// without width that no script and no emoji needs.
    package static func line(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 >= 0x7F }) else { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0A, 0x0D, 0x85, 0x2028, 0x2029: out.append(" ")
            case 0..<0x20, 0x7F...0x9F, 0x200B, 0x2060...0x2064, 0xFEFF, 0x206A...0x206F, 0xFFF9...0xFFFB: break
            default: if !isDirection(scalar) { out.append(scalar) }
            }
        }
        return String(out)
    }

    /// Whether a sign turns the direction of the text behind it (Unicode's Bidi_Control).
    static func isDirection(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    private static func isPlain(_ text: String, _ delimiters: Signs, _ most: Int) -> Bool {
        var last: UInt8 = 0x20
        for byte in text.utf8 {
            guard byte >= 0x20, byte < 0x7F, byte != 0x20 || last != 0x20 else { return false }
            if delimiters.contains(byte) { return false }
            last = byte
        }
        return last != 0x20 && text.utf8.count <= most
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        // U+2800 is a pattern of dots without a dot.
        scalar.properties.isWhitespace || scalar.value == 0x2800
    }

    /// Control characters, and all that is there without being seen.
    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: return true
        default: return properties.isDefaultIgnorableCodePoint || properties.isNoncharacterCodePoint
        }
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .spacingMark: true
        default: false
        }
    }

    /// Whether a hidden sign makes one picture of the emoji beside it, as in a family or a red heart.
    private static func joinsEmoji(_ scalars: [Unicode.Scalar], _ i: Int) -> Bool {
        func isEmoji(_ at: Int) -> Bool {
            scalars.indices.contains(at) && scalars[at].value > 0xFF && scalars[at].properties.isEmoji
        }
        switch scalars[i].value {
        case 0xFE0F: return isEmoji(i - 1)
        case 0x200D:
            let isPicture = i > 1 && scalars[i - 1].value == 0xFE0F && isEmoji(i - 2)
            return isEmoji(i + 1) && (isEmoji(i - 1) || isPicture)
        default: return false
        }
    }

    /// The sign of ASCII which this looks like, or the sign itself.
    private static func plainSign(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        if scalar.isASCII { return scalar }
        if let plain = lookalikes[scalar] { return plain }
        guard (0xFF01...0xFF5E).contains(scalar.value) else { return scalar }
        return Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar
    }

    /// What is taken for a delimiter by those who read (from Unicode's confusables, UTS 39).
    private static let lookalikes: [Unicode.Scalar: Unicode.Scalar] = {
        let table: [(Unicode.Scalar, String)] = [
            ("<", "‹˂ᐸ≺≪⋖〈⟨〈《«❬❮❰⧼﹤⟪ᚲ𝈶⦑⪡"), (">", "›˃ᐳ≻≫⋗〉⟩〉》»❭❯❱⧽﹥⟫𖼿𝈷⦒⪢"), ("[", "⟦【〔〚⁅❲⟬"),
            ("]", "⟧】〕〛⁆❳⟭"), ("(", "﴾❨⦅❪⟮⁽₍"), (")", "﴿❩⦆❫⟯⁾₎"), ("{", "❴𝄔"), ("}", "❵"),
            (":", "ː˸։׃܃܄︰᠃⁚∶꞉﹕︓ः∷"), ("|", "ǀ∣❘❙❚│┃¦‖⏐ⵏ"), ("*", "∗⁎٭⋆✱﹡𐌟"), ("`", "ˋ՝"), ("~", "∼˜〜"),
            ("@", "﹫"), ("#", "﹟"), (",", "‚¸٫、﹐"), ("\"", "“”„‟″‶〃"),
        ]
        var map: [Unicode.Scalar: Unicode.Scalar] = [:]
        for (plain, others) in table { for other in others.unicodeScalars { map[other] = plain } }
        return map
    }()
}
